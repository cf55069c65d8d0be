import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientHelloReader, HELLO } from '../../../src/proxy/stream/client-hello.ts'
import { clientHello } from '../../support/client-hello.ts'
import { between, pick, seededRandom } from '../../support/random.ts'

const ROUNDS = 20_000
const random = seededRandom(20_261_121)

function hello(): Buffer {
  return clientHello({
    ...(random() < 0.8 ? { name: pick(random, ['a', 'shop.test', 'x'.repeat(between(random, 1, 255))]) } : {}),
    ...(random() < 0.8 ? { protocols: pick(random, [['h2'], ['h2', 'http/1.1'], ['acme-tls/1']]) } : {}),
    extensions: Array.from(
      { length: between(random, 0, 5) },
      (_, index) => [100 + index, Buffer.alloc(between(random, 0, 300), index)] as const,
    ),
    recordBytes: pick(random, [1, 5, 50, 500, 16_384]),
  })
}

function read(bytes: Uint8Array, pieces: readonly number[]): { result: number; said: string } {
  const reader = new ClientHelloReader()
  let result: number = HELLO.INCOMPLETE
  let at = 0
  for (const piece of pieces) {
    if (result !== HELLO.INCOMPLETE) break
    result = reader.read(bytes, at, Math.min(at + piece, bytes.length))
    at = Math.min(at + piece, bytes.length)
  }
  if (result === HELLO.INCOMPLETE && at < bytes.length) result = reader.read(bytes, at, bytes.length)
  return { result, said: `${reader.serverName} ${reader.protocols}` }
}

test('every truncation of a hello is incomplete', () => {
  for (let round = 0; round < 60; round++) {
    const bytes = hello()
    for (let length = 0; length < bytes.length; length++) assert.equal(read(bytes.subarray(0, length), []).result, HELLO.INCOMPLETE)
    assert.equal(read(bytes, []).result, HELLO.COMPLETE)
  }
})

test('how the bytes are cut changes nothing, whatever they are', () => {
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = hello()
    for (let i = between(random, 0, 4); i > 0; i--)
      bytes[between(random, 0, bytes.length - 1)] = pick(random, [0, 1, 3, 22, 255, between(random, 0, 255)])
    const whole = read(bytes, [])
    const cut = read(
      bytes,
      Array.from({ length: between(random, 1, 12) }, () => between(random, 1, 200)),
    )
    assert.equal(cut.result, whole.result, bytes.toString('hex'))
    if (whole.result === HELLO.COMPLETE) assert.equal(cut.said, whole.said)
  }
})
