import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientHello, ja3, ja4 } from '../../../src/engine/tls/index.ts'
import { seededRandom } from '../../support/random.ts'
import { BROWSER } from '../../unit/engine/tls/hello.ts'

const RUNS = 20_000

test('whatever a client sends for a hello, reading it ends, and within its bounds', () => {
  const random = seededRandom(4)
  const below = (limit: number): number => Math.floor(random() * limit)
  for (let run = 0; run < RUNS; run++) {
    const bytes = Uint8Array.from(BROWSER)
    for (let changes = 1 + below(8); changes > 0; changes--) bytes[below(bytes.length)] = below(256)
    const cut = bytes.subarray(0, below(4) === 0 ? below(bytes.length) : bytes.length)
    const hello = ClientHello.parse(cut)
    assert.ok(hello.ciphers.length * 2 <= cut.length && hello.extensions.length * 4 <= cut.length)
    assert.match(hello.serverName, /^[a-z0-9._-]{0,255}$/)
    assert.match(ja3(hello), /^[0-9a-f]{32}$/)
    assert.match(ja4(hello), /^t[0-9s]{2}[di]\d{4}[0-9A-Za-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$/)
  }
})
