import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DnsFormatError, parseResponse, TYPE } from '../../../src/pool/discovery/dns/message.ts'
import { SeededRandom } from '../../../src/pool/index.ts'

const corpus = readFileSync(join(import.meta.dirname, '../corpus/dns-responses.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => Buffer.from(line.replaceAll(' ', ''), 'hex'))

/** Reads it, and says whether that worked. Anything thrown but a DnsFormatError fails the test. */
function isRead(bytes: Uint8Array): boolean {
  try {
    for (const { name, ttlSeconds } of parseResponse(bytes, 0x1234, 'app.test', TYPE.A).answers) {
      assert.ok(name.length <= 253 && ttlSeconds >= 0 && ttlSeconds < 2 ** 31)
    }
    return true
  } catch (error) {
    assert.ok(error instanceof DnsFormatError, String(error))
    return false
  }
}

test('the corpus is read or refused', () => {
  assert.deepEqual(corpus.map(isRead), [true, true, true, true, true, false, false, false])
})

test('every cut of a response is refused, but for one that was told to be cut', () => {
  for (const bytes of corpus.slice(0, 4)) {
    for (let length = 0; length < bytes.length; length++)
      assert.equal(isRead(bytes.subarray(0, length)), false, `${length} of ${bytes.length}`)
  }
})

test('changed bits, bytes and lengths are read or refused', () => {
  const random = new SeededRandom(1)
  const below = (limit: number) => Math.floor((random.next() / 2 ** 32) * limit)
  let read = 0
  for (let round = 0; round < 40_000; round++) {
    const bytes = Buffer.from(corpus[below(corpus.length)])
    for (let changes = below(4); changes >= 0; changes--) {
      const at = below(bytes.length)
      bytes[at] = [bytes[at] ^ (1 << below(8)), 0xc0, 0xff, 0, below(256)][below(5)]
    }
    if (isRead(bytes)) read++
  }
  assert.ok(read > 1000, 'the changes leave some of them readable')
})
