import assert from 'node:assert/strict'
import { it } from 'node:test'
import {
  FIELD,
  flags,
  METHOD,
  mustRewriteHost,
  parseRequestHead,
  parseResponseHead,
  RequestHead,
  ResponseHead,
  writeChunkHeader,
  writeFields,
  writeRange,
  writeRequestHead,
  writeRequestLine,
  writeResponseHead,
  writeStatusLine,
  writeTarget,
} from '../../../../src/http/index.ts'
import { place, textOf, written } from '../bytes.ts'

const LIMITS = { maxLineBytes: 1000, maxHeadBytes: 2000, maxFields: 20 }
const NOTHING = flags()

function request(text: string): { memory: Uint8Array; head: RequestHead; at: number } {
  const { memory, start, end } = place(text)
  const head = new RequestHead(20)
  assert.equal(parseRequestHead(memory, start, end, head, LIMITS), end)
  return { memory, head, at: end + 100 }
}

function fieldsOf(lines: string, drop = NOTHING): string {
  const { memory, head, at } = request(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`)
  return textOf(memory, at, writeFields(memory, at, head, drop)).replace('Host: a\r\n', '')
}

it('copies canonical fields as they are and brings the others into that form', () => {
  assert.equal(fieldsOf('A: 1\r\nb: 2\r\n'), 'A: 1\r\nb: 2\r\n')
  assert.equal(fieldsOf('A:1\r\nB: 2\r\nC:\t3\r\nD:   4 \t\r\nE:\r\nF: 6\r\n'), 'A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: \r\nF: 6\r\n')
  assert.equal(fieldsOf(`A: ${'x'.repeat(300)}\r\nB:${'y'.repeat(300)}\r\n`), `A: ${'x'.repeat(300)}\r\nB: ${'y'.repeat(300)}\r\n`)
})

it('leaves out flagged fields and those that Connection names', () => {
  const lines = 'A: 1\r\nCookie: x\r\nB: 2\r\nDate: y\r\nX-Hop: 3\r\nConnection: close, x-hop\r\nC: 4\r\n'
  assert.equal(fieldsOf(lines, flags(FIELD.COOKIE, FIELD.CONNECTION)), 'A: 1\r\nB: 2\r\nDate: y\r\nC: 4\r\n')
  assert.equal(fieldsOf(lines, flags(FIELD.HOST, FIELD.COOKIE, FIELD.DATE, FIELD.CONNECTION)), 'A: 1\r\nB: 2\r\nC: 4\r\n')
})

it('writes at most two bytes a field more than were received', () => {
  const text = `GET / HTTP/1.1\r\nHost:a\r\n${'A:1\r\n'.repeat(15)}\r\n`
  const { memory, head, at } = request(text)
  const length = writeFields(memory, at, head, NOTHING) - at
  assert.ok(length <= head.headEnd - head.headStart + 2 * head.fields.count)
})

it('writes request lines for an origin server', () => {
  const line = (text: string) => {
    const { memory, head, at } = request(`${text}\r\nHost: a\r\n\r\n`)
    return textOf(memory, at, writeRequestLine(memory, at, head))
  }
  assert.equal(line('GET /a?b HTTP/1.0'), 'GET /a?b HTTP/1.1\r\n')
  assert.equal(line('BREW /pot HTTP/1.1'), 'BREW /pot HTTP/1.1\r\n')
  assert.equal(line('GET http://h/a?b HTTP/1.1'), 'GET /a?b HTTP/1.1\r\n')
  assert.equal(line('GET http://h?b HTTP/1.1'), 'GET /?b HTTP/1.1\r\n')
  assert.equal(line('GET http://h HTTP/1.2'), 'GET / HTTP/1.1\r\n')
  assert.equal(line('OPTIONS http://h HTTP/1.1'), 'OPTIONS * HTTP/1.1\r\n')
  assert.equal(line('OPTIONS http://h? HTTP/1.1'), 'OPTIONS /? HTTP/1.1\r\n')
  assert.equal(line('OPTIONS * HTTP/1.1'), 'OPTIONS * HTTP/1.1\r\n')
  assert.equal(line(`GET /${'a'.repeat(100)} HTTP/1.0`), `GET /${'a'.repeat(100)} HTTP/1.1\r\n`)
  const { memory, head, at } = request('GET http://h HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.equal(textOf(memory, at, writeTarget(memory, at, head, false)), '/')
})

it('writes whole heads as line and fields one after the other', () => {
  for (const text of ['GET /a HTTP/1.0', 'GET http://h/a HTTP/1.1', `PUT /${'a'.repeat(90)} HTTP/1.3`]) {
    for (const lines of ['Host: a\r\nX: y\r\n', 'host:a\r\nX: y\r\n', 'X: y\r\nDate: z\r\nY: z\r\nHost: a\r\n']) {
      const { memory, head, at } = request(`${text}\r\n${lines}\r\n`)
      const drop = flags(FIELD.DATE)
      const parts = textOf(memory, at, writeFields(memory, writeRequestLine(memory, at, head), head, drop))
      assert.equal(textOf(memory, at, writeRequestHead(memory, at, head, drop)), parts)
    }
  }
  for (const text of ['HTTP/1.0 200 OK', 'HTTP/1.1 404 ', 'HTTP/1.0 500']) {
    const { memory, start, end } = place(`${text}\r\nServer: x\r\nDate:y\r\nEtag: z\r\n\r\n`)
    const head = new ResponseHead(20)
    assert.equal(parseResponseHead(memory, start, end, head, LIMITS, METHOD.GET), end)
    const at = end + 100
    const parts = textOf(memory, at, writeFields(memory, writeStatusLine(memory, at, head), head, NOTHING))
    assert.equal(textOf(memory, at, writeResponseHead(memory, at, head, NOTHING)), parts)
  }
})

it('says when Host is to be written anew', () => {
  assert.equal(mustRewriteHost(request('GET / HTTP/1.1\r\nHost: a\r\n\r\n').head), false)
  assert.equal(mustRewriteHost(request('GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n').head), true)
  assert.equal(mustRewriteHost(request('GET / HTTP/1.0\r\n\r\n').head), true)
})

it('writes status lines with the space that some servers leave out', () => {
  const line = (text: string) => {
    const { memory, start, end } = place(`${text}\r\n\r\n`)
    const head = new ResponseHead(20)
    assert.equal(parseResponseHead(memory, start, end, head, LIMITS, METHOD.GET), end)
    return textOf(memory, end + 100, writeStatusLine(memory, end + 100, head))
  }
  assert.equal(line('HTTP/1.0 200 OK'), 'HTTP/1.1 200 OK\r\n')
  assert.equal(line('HTTP/1.1 404 Not  Found'), 'HTTP/1.1 404 Not  Found\r\n')
  assert.equal(line('HTTP/1.1 200 '), 'HTTP/1.1 200 \r\n')
  assert.equal(line('HTTP/1.1 200'), 'HTTP/1.1 200 \r\n')
})

it('writes chunk headers', () => {
  for (const length of [1, 15, 16, 255, 256, 4096, 2 ** 31, 2 ** 40 + 11, Number.MAX_SAFE_INTEGER]) {
    assert.equal(
      written((memory, at) => writeChunkHeader(memory, at, length)),
      `${length.toString(16)}\r\n`,
    )
  }
})

it('copies ranges of any length', () => {
  const { memory, start } = place('0123456789'.repeat(10))
  for (let length = 0; length <= 100; length++) {
    assert.equal(textOf(memory, 1000, writeRange(memory, 1000, start, start + length)), '0123456789'.repeat(10).slice(0, length))
  }
})
