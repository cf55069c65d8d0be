import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFields, FLAG, FRAME, frame, type Outcome, readFields } from '../../../../src/pool/check/grpc/frames.ts'
import { GrpcCheck } from '../../../../src/pool/check/grpc/grpc.ts'
import { SeededRandom } from '../../../../src/pool/index.ts'
import { converse } from '../../../support/check.ts'

const { DATA, HEADERS, SETTINGS, CONTINUATION, PING, GOAWAY, RST_STREAM, PUSH_PROMISE } = FRAME
const { END_STREAM, END_HEADERS, PADDED, PRIORITY } = FLAG

const PLAN = { kind: 'grpc', service: '', host: 'app.test', mode: 'none', tls: undefined } as const
const HELLO = frame(SETTINGS, 0, 0, Buffer.alloc(0))
const HEAD = frame(HEADERS, END_HEADERS, 1, Buffer.from([0x88]))
const STATUS = Buffer.from([0, 0, 0, 0, 2, 8, 1])
const TRAILERS = encodeFields([['grpc-status', '0']])
const GOOD = [HELLO, HEAD, frame(DATA, 0, 1, STATUS), frame(HEADERS, END_HEADERS | END_STREAM, 1, TRAILERS)]

const run = (...pieces: (Buffer | string | null)[]) => converse(new GrpcCheck(PLAN), ...pieces)

test('a response may be cut anywhere, padded and continued', () => {
  assert.equal(run(...GOOD).verdict?.reason, 'SERVING')
  assert.equal(run(...Buffer.concat(GOOD).toString('latin1')).verdict?.reason, 'SERVING')
  const padded = [
    HELLO,
    frame(HEADERS, END_HEADERS | PADDED | PRIORITY, 1, Buffer.from([2, 0, 0, 0, 0, 9, 0x88, 0, 0])),
    frame(DATA, PADDED, 1, Buffer.concat([Uint8Array.of(3), STATUS, Buffer.alloc(3)])),
    frame(HEADERS, END_STREAM, 1, TRAILERS.subarray(0, 4)),
    frame(CONTINUATION, END_HEADERS, 1, TRAILERS.subarray(4)),
  ]
  assert.equal(run(...padded).verdict?.reason, 'SERVING')
})

test('settings and pings are acknowledged', () => {
  const { bytes } = run(HELLO, frame(PING, 0, 0, Buffer.from('12345678')))
  assert.ok(bytes.includes(frame(SETTINGS, FLAG.ACK, 0, Buffer.alloc(0))))
  assert.ok(bytes.includes(frame(PING, FLAG.ACK, 0, Buffer.from('12345678'))))
  assert.ok(!run(HELLO, frame(PING, FLAG.ACK, 0, Buffer.alloc(8))).bytes.includes(frame(PING, FLAG.ACK, 0, Buffer.alloc(8))))
})

test('what a server says instead is told', () => {
  const trailersOnly = (...fields: [string, string][]) =>
    run(HELLO, frame(HEADERS, END_HEADERS | END_STREAM, 1, encodeFields(fields))).verdict?.reason
  assert.equal(trailersOnly([':status', '200'], ['grpc-status', '14']), 'grpc-status UNAVAILABLE')
  assert.equal(trailersOnly([':status', '200'], ['grpc-status', '99']), 'grpc-status 99')
  assert.equal(trailersOnly([':status', '200']), 'a response without grpc-status')
  assert.equal(trailersOnly([':status', '418']), 'HTTP status 418')
  assert.equal(trailersOnly([':status', '4180']), 'a response without a status')
  assert.equal(trailersOnly([':status', '200'], ['grpc-status', '0']), 'the answer is not a health status')
  assert.equal(run(HELLO, frame(RST_STREAM, 0, 1, Buffer.from([0, 0, 0, 7]))).verdict?.reason, 'the server resets the request: error 7')
  assert.equal(
    run(HELLO, frame(GOAWAY, 0, 0, Buffer.from([0, 0, 0, 0, 0, 0, 0, 11]))).verdict?.reason,
    'the server refuses the connection: GOAWAY with error 11',
  )
  assert.equal(run(HELLO, null).verdict?.reason, 'connection closed before the answer')
})

test('what is not HTTP/2, or too much of it, is a failure', () => {
  const bad = { ok: false, reason: 'the answer is not HTTP/2' }
  assert.deepEqual(run('HTTP/1.1 400 Bad Request\r\n\r\n').verdict, bad)
  assert.deepEqual(run(HEAD).verdict, bad)
  assert.deepEqual(run(HELLO, frame(DATA, 0, 1, Buffer.alloc(16_385))).verdict, bad)
  assert.deepEqual(run(HELLO, frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.alloc(5))).verdict, bad)
  assert.deepEqual(run(HELLO, frame(HEADERS, END_HEADERS | PADDED, 1, Buffer.from([9, 0x88]))).verdict, bad)
  assert.deepEqual(run(HELLO, ...Array.from({ length: 3 }, () => frame(CONTINUATION, 0, 1, Buffer.alloc(8192)))).verdict, bad)
  assert.equal(run(HELLO, frame(DATA, 0, 1, Buffer.alloc(65))).verdict?.reason, 'the answer is not a health status')
  assert.equal(run(...Array.from({ length: 600 }, () => HELLO)).verdict?.reason, 'more than 512 packets')
})

test('fields are read in every form that needs no dynamic table', () => {
  const read = (...bytes: number[]) => {
    const outcome: Outcome = { httpStatus: undefined, grpcStatus: undefined }
    return readFields(Buffer.from(bytes), outcome) ? outcome : undefined
  }
  const huffmanName = [0x88, 0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f]
  assert.equal(read(0x88)?.httpStatus, 200)
  assert.equal(read(0x20, 0x8e)?.httpStatus, 500)
  assert.equal(read(0x08, 3, 0x34, 0x31, 0x38)?.httpStatus, 418)
  assert.equal(read(0, ...huffmanName, 1, 0x35)?.grpcStatus, 5)
  // 0, 2, 3, 9, 10 and 16 in Huffman code.
  for (const [value, ...code] of [
    [0, 0x07],
    [2, 0x17],
    [3, 0x67],
    [9, 0x7f],
    [10, 0x08, 0x3f],
    [16, 0x0b, 0x9f],
  ]) {
    const bits = code.length === 2 ? [code[0], code[1]] : code
    assert.equal(read(0x40, ...huffmanName, 0x80 | bits.length, ...bits)?.grpcStatus, value, String(value))
  }
  for (const broken of [[0x80], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0xbe], [0x3f, 0x01], [0, 5], [0, 0x7f], [0x10, 1, 0x61, 9]]) {
    assert.equal(read(...broken), undefined, broken.join())
  }
})

test('garbage never throws', () => {
  const random = new SeededRandom(5)
  for (let round = 0; round < 3000; round++) {
    const payload = Buffer.from(Array.from({ length: random.next() % 60 }, () => random.next() & 255))
    run(HELLO, frame(random.next() % 12, random.next() & 255, random.next() & 3, payload), frame(DATA, END_STREAM, 1, payload))
  }
})
