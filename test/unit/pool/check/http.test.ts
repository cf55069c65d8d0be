import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_TEXT_BYTES } from '../../../../src/pool/check/answer-match.ts'
import { HttpCheck, type HttpCheckOptions } from '../../../../src/pool/check/http.ts'
import { text } from '../../../support/check.ts'

const OK = [{ from: 200, to: 399 }]
const DEFAULTS: HttpCheckOptions = {
  method: 'GET',
  path: '/healthz',
  host: 'app.test',
  headers: [],
  requestBody: undefined,
  status: OK,
  responseHeaders: [],
  body: undefined,
}

function run(changes: Partial<HttpCheckOptions>, ...pieces: (string | null)[]) {
  const check = new HttpCheck({ ...DEFAULTS, ...changes })
  let request = ''
  const write = (bytes: Uint8Array) => {
    request += Buffer.from(bytes).toString('latin1')
  }
  check.opened({ write, secure: () => assert.fail('no TLS was asked for'), end: () => {} })
  let verdict = null
  for (const piece of pieces) {
    verdict = piece === null ? check.ended() : check.received(Buffer.from(piece, 'latin1'))
    if (verdict !== null) break
  }
  return { request, verdict }
}

test('asks with method, path, Host and own headers', () => {
  const { request } = run({ method: 'HEAD', path: '/h?x=1', headers: [{ name: 'X-Check', value: 'yes' }] })
  assert.equal(request, 'HEAD /h?x=1 HTTP/1.1\r\nHost: app.test\r\nUser-Agent: evener-check\r\nConnection: close\r\nX-Check: yes\r\n\r\n')
  const own = run({
    headers: [
      { name: 'User-Agent', value: 'me' },
      { name: 'host', value: 'you' },
    ],
  }).request
  assert.equal(own, 'GET /healthz HTTP/1.1\r\nConnection: close\r\nUser-Agent: me\r\nhost: you\r\n\r\n')
})

test('judges the status', () => {
  assert.deepEqual(run({}, 'HTTP/1.1 204 No Content\r\n\r\n').verdict, { ok: true, reason: 'status 204' })
  assert.deepEqual(run({}, 'HTTP/1.0 503 Busy\r\n\r\n').verdict, { ok: false, reason: 'status 503, expected 200-399' })
  const ranges = [
    { from: 200, to: 200 },
    { from: 301, to: 302 },
  ]
  assert.deepEqual(run({ status: ranges }, 'HTTP/1.1 300 X\r\n\r\n').verdict, { ok: false, reason: 'status 300, expected 200, 301-302' })
})

test('waits for the end of the head, however it is cut', () => {
  const text = 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'
  assert.deepEqual(run({}, ...text).verdict, { ok: true, reason: 'status 200' })
  assert.equal(run({}, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n').verdict, null)
})

test('a connection that ends early is a failure', () => {
  assert.deepEqual(run({}, 'HTTP/1.1 200', null).verdict, { ok: false, reason: 'connection closed before the answer' })
  assert.equal(
    run({ body: text('x') }, 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', null).verdict?.reason,
    'connection closed before the answer',
  )
})

test('what is not HTTP and heads without end are failures', () => {
  assert.match(run({}, 'SSH-2.0-OpenSSH\r\n').verdict?.reason ?? '', /^not a valid HTTP response: /)
  assert.match(run({}, `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(20_000)}`).verdict?.reason ?? '', /^not a valid HTTP response: .*large/)
})

test('finds a text in a body, whatever its framing and cuts', () => {
  const head = 'HTTP/1.1 200 OK\r\n'
  const bodies = ['Content-Length: 11\r\n\r\nall is well', 'Transfer-Encoding: chunked\r\n\r\n6\r\nall is\r\n5\r\n well\r\n0\r\n\r\n']
  for (const body of bodies) {
    assert.deepEqual(run({ body: text('is well') }, ...head, ...body).verdict, { ok: true, reason: 'status 200, the body matches' })
    assert.deepEqual(run({ body: text('is well') }, head + body).verdict?.ok, true)
    assert.deepEqual(run({ body: text('~^all .* well$') }, ...(head + body)).verdict?.ok, true)
    assert.deepEqual(run({ body: text('bad') }, head + body).verdict, {
      ok: false,
      reason: 'status 200, but the body does not contain "bad"',
    })
  }
  assert.equal(run({ body: text('~well$') }, 'HTTP/1.0 200 OK\r\n\r\n', 'all is', ' well', null).verdict?.ok, true)
  assert.equal(run({ body: text('x') }, 'HTTP/1.1 204 OK\r\n\r\n').verdict?.ok, false)
})

test('searches no more than the first 64 KiB', () => {
  const pieces = Array.from({ length: 9 }, () => 'a'.repeat(8 * 1024))
  const { verdict } = run({ body: text('needle') }, 'HTTP/1.1 200 OK\r\n\r\n', ...pieces, 'needle')
  assert.equal(verdict?.ok, false)
  assert.equal(MAX_TEXT_BYTES, 8 * 8 * 1024)
})

test('a bad chunk is a failure', () => {
  assert.match(
    run({ body: text('x') }, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n').verdict?.reason ?? '',
    /^not a valid HTTP response: a chunk size/,
  )
})

test('a regular expression sees no more than the first 8 KiB', () => {
  const late = `${'a'.repeat(8 * 1024)}needle`
  assert.equal(run({ body: text('~needle') }, `HTTP/1.1 200 OK\r\nContent-Length: ${late.length}\r\n\r\n${late}`).verdict?.ok, false)
  assert.equal(run({ body: text('needle') }, `HTTP/1.1 200 OK\r\nContent-Length: ${late.length}\r\n\r\n${late}`).verdict?.ok, true)
})

test('a body is sent with its length, and POST without one with length 0', () => {
  assert.match(run({ method: 'POST', requestBody: '{"ä":1}' }).request, /\r\nContent-Length: 8\r\n\r\n\{"/)
  assert.match(run({ method: 'POST' }).request, /\r\nContent-Length: 0\r\n\r\n$/)
})

test('fields of the response are looked at where they are asked for', () => {
  const responseHeaders = [{ name: 'X-Role', pattern: text('~^primary$') }]
  const head = (fields: string) => `HTTP/1.1 200 OK\r\n${fields}Content-Length: 0\r\n\r\n`
  assert.equal(run({ responseHeaders }, head('x-role: replica\r\nx-role: primary\r\n')).verdict?.ok, true)
  assert.equal(run({ responseHeaders }, head('')).verdict?.reason, 'status 200, but no field X-Role, expected /^primary$/')
  assert.equal(
    run({ responseHeaders }, head('X-Role: replica\r\n')).verdict?.reason,
    'status 200, but X-Role is "replica", expected /^primary$/',
  )
})
