import assert from 'node:assert/strict'
import { test } from 'node:test'
import { helloOf } from '../../../../src/engine/tls/index.ts'

const record = (...content: number[]) => [22, 3, 1, content.length >> 8, content.length & 255, ...content]
const MESSAGE = [1, 0, 0, 6, 10, 11, 12, 13, 14, 15]

const of = (...bytes: number[]) => {
  const found = helloOf(Uint8Array.from(bytes))
  return found === null ? null : [...found]
}

test('a ClientHello is put together from its records, and every beginning of it waits for more', () => {
  for (const cut of [1, 3, 4, 5, 9]) {
    const bytes = [...record(...MESSAGE.slice(0, cut)), ...record(...MESSAGE.slice(cut))]
    for (let length = 0; length < bytes.length; length++) assert.equal(of(...bytes.slice(0, length)), null, `${cut}, ${length} bytes`)
    assert.deepEqual(of(...bytes), MESSAGE)
    assert.deepEqual(of(...bytes, 99), MESSAGE)
  }
})

test('what can be no ClientHello is not waited for', () => {
  assert.deepEqual(of(...Buffer.from('GET / HTTP/1.1')), [])
  assert.deepEqual(of(...record(...MESSAGE.slice(0, 5)), 23), MESSAGE.slice(0, 5))
  assert.deepEqual(of(...record()), [])
  assert.deepEqual(of(...record(1, 255, 255, 255, 1)), [1, 255, 255, 255, 1])
  assert.deepEqual(of(...record(0, 0, 0, 0)), [0, 0, 0, 0])
})
