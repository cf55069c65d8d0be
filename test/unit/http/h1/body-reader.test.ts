import assert from 'node:assert/strict'
import { it } from 'node:test'
import { BODY, BodyReader, REJECT } from '../../../../src/http/index.ts'
import { place, textOf } from '../bytes.ts'

/** Reads `text` as the documentation of BodyReader shows; the content in pieces, and what was left. */
function read(reader: BodyReader, text: string): { runs: string[]; rest: string } {
  const { memory, start, end } = place(text)
  const runs: string[] = []
  let at = start
  while (at < end && !reader.isComplete) {
    const next = reader.read(memory, at, end)
    if (next === -1) return { runs, rest: '!' }
    at = next
    if (reader.dataEnd > reader.dataStart) runs.push(textOf(memory, reader.dataStart, reader.dataEnd))
  }
  return { runs, rest: textOf(memory, at, end) }
}

function begin(body: number, contentLength = 0): BodyReader {
  const reader = new BodyReader()
  reader.begin(body, contentLength)
  return reader
}

it('is complete at once without a body', () => {
  assert.ok(new BodyReader().isComplete)
  assert.ok(begin(BODY.NONE).isComplete)
  assert.ok(begin(BODY.LENGTH, 0).isComplete)
  assert.ok(!begin(BODY.CHUNKED).isComplete)
  assert.ok(!begin(BODY.UNTIL_CLOSE).isComplete)
})

it('counts a body of known length and leaves the next message alone', () => {
  const reader = begin(BODY.LENGTH, 10)
  assert.deepEqual(read(reader, 'hello '), { runs: ['hello '], rest: '' })
  assert.equal(reader.remaining, 4)
  assert.equal(reader.finish(), false)
  assert.deepEqual(read(reader, 'you!GET /'), { runs: ['you!'], rest: 'GET /' })
  assert.ok(reader.isComplete)
  assert.equal(reader.finish(), true)
})

it('counts beyond 2^32', () => {
  const reader = begin(BODY.LENGTH, 2 ** 32 + 5)
  assert.deepEqual(read(reader, 'hello'), { runs: ['hello'], rest: '' })
  assert.equal(reader.remaining, 2 ** 32)
})

it('ends a body that runs until the close with finish()', () => {
  const reader = begin(BODY.UNTIL_CLOSE)
  assert.deepEqual(read(reader, 'HTTP/1.1 200 OK'), { runs: ['HTTP/1.1 200 OK'], rest: '' })
  assert.ok(!reader.isComplete)
  assert.ok(reader.finish())
  assert.ok(reader.isComplete)
})

it('finds the content of chunks and the message behind them', () => {
  const reader = begin(BODY.CHUNKED)
  assert.deepEqual(read(reader, '5\r\nhello\r\n6;x="\\""\r\n world\r\n0\r\n\r\nGET /'), { runs: ['hello', ' world'], rest: 'GET /' })
  assert.equal(reader.trailers.length, 0)
})

it('hands out the content in front of an error, then refuses', () => {
  const reader = begin(BODY.CHUNKED)
  assert.deepEqual(read(reader, '5\r\nhelloXX'), { runs: ['hello'], rest: '!' })
  assert.equal(reader.reject, REJECT.CHUNK_END_MISSING)
  const { memory, start, end } = place('\r\n')
  assert.equal(reader.read(memory, start, end), -1)
})

it('is as new for the next message after an error, with trailers forgotten', () => {
  const reader = begin(BODY.CHUNKED)
  read(reader, '0\r\nX: y\r\n\r\n')
  assert.equal(Buffer.from(reader.trailers).toString(), 'X: y\r\n')
  reader.begin(BODY.CHUNKED, 0)
  assert.equal(reader.trailers.length, 0)
  read(reader, 'x')
  reader.begin(BODY.CHUNKED, 0)
  assert.equal(reader.reject, 0)
  assert.deepEqual(read(reader, '1\r\na\r\n0\r\n\r\n'), { runs: ['a'], rest: '' })
})

it('drops trailers where it is told to, and checks them all the same', () => {
  const reader = new BodyReader()
  reader.begin(BODY.CHUNKED, 0, false)
  assert.deepEqual(read(reader, '0\r\nX: y\r\n\r\n'), { runs: [], rest: '' })
  assert.ok(reader.isComplete)
  assert.equal(reader.trailers.length, 0)
  reader.begin(BODY.CHUNKED, 0, false)
  assert.deepEqual(read(reader, '0\r\nHost: y\r\n\r\n'), { runs: [], rest: '!' })
})

it('does not call a chunked message whole before its last CRLF', () => {
  for (const text of ['', '0', '0\r', '0\r\n', '0\r\n\r', '0\r\nX: y\r\n', '1\r\na\r\n']) {
    const reader = begin(BODY.CHUNKED)
    read(reader, text)
    assert.equal(reader.finish(), false, JSON.stringify(text))
  }
})

it('skips content that went another way', () => {
  const reader = begin(BODY.LENGTH, 10)
  assert.deepEqual(read(reader, 'abc'), { runs: ['abc'], rest: '' })
  reader.skip(6)
  assert.equal(reader.remaining, 1)
  assert.ok(!reader.isComplete)
  assert.deepEqual(read(reader, 'defg'), { runs: ['d'], rest: 'efg' })
  assert.ok(reader.isComplete)
})
