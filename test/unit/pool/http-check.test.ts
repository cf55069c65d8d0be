import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpCheck, MAX_BODY_BYTES } from '../../../src/pool/check/http.ts'

const OK = [{ from: 200, to: 399 }]

function run(changes: Partial<ConstructorParameters<typeof HttpCheck>[0]>, ...pieces: (string | null)[]) {
  const check = new HttpCheck({ method: 'GET', path: '/healthz', host: 'app.test', headers: [], status: OK, body: undefined, ...changes })
  let request = ''
  check.opened((bytes) => {
    request += Buffer.from(bytes).toString('latin1')
  })
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
    run({ body: 'x' }, 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', null).verdict?.reason,
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
    assert.deepEqual(run({ body: 'is well' }, ...head, ...body).verdict, { ok: true, reason: 'status 200, the body matches' })
    assert.deepEqual(run({ body: 'is well' }, head + body).verdict?.ok, true)
    assert.deepEqual(run({ body: /^all .* well$/ }, ...(head + body)).verdict?.ok, true)
    assert.deepEqual(run({ body: 'bad' }, head + body).verdict, { ok: false, reason: 'status 200, but the body does not contain "bad"' })
  }
  assert.equal(run({ body: /well$/ }, 'HTTP/1.0 200 OK\r\n\r\n', 'all is', ' well', null).verdict?.ok, true)
  assert.equal(run({ body: 'x' }, 'HTTP/1.1 204 OK\r\n\r\n').verdict?.ok, false)
})

test('searches no more than the first 64 KiB', () => {
  const pieces = Array.from({ length: 9 }, () => 'a'.repeat(8 * 1024))
  const { verdict } = run({ body: 'needle' }, 'HTTP/1.1 200 OK\r\n\r\n', ...pieces, 'needle')
  assert.equal(verdict?.ok, false)
  assert.equal(MAX_BODY_BYTES, 8 * 8 * 1024)
})

test('a bad chunk is a failure', () => {
  assert.match(
    run({ body: 'x' }, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n').verdict?.reason ?? '',
    /^not a valid HTTP response: a chunk size/,
  )
})
