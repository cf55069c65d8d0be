import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Endpoint } from '../../../../src/engine/index.ts'
import type { DatagramSession } from '../../../../src/proxy/datagram/session.ts'
import { SessionTable } from '../../../../src/proxy/datagram/session-table.ts'
import { seededRandom } from '../../../support/random.ts'

function endpoint(word: number, port: number, isIPv6 = false): Endpoint {
  const out = new Endpoint()
  if (isIPv6) out.address.setIPv6(0x20010db8, 0, 0, word)
  else out.address.setIPv4(word)
  out.port = port
  return out
}

/** What the table sees of a session. */
function session(client: Endpoint): DatagramSession {
  return { client, proxied: null, next: null } as unknown as DatagramSession
}

test('finds every session by address and port, while thousands come and go', () => {
  const table = new SessionTable()
  const random = seededRandom(11)
  const known = new Map<string, DatagramSession>()
  for (let round = 0; round < 20_000; round++) {
    const [word, port, isIPv6] = [Math.floor(random() * 500), 1 + Math.floor(random() * 20), random() < 0.5]
    const client = endpoint(word, port, isIPv6)
    const key = `${word} ${port} ${isIPv6}`
    const there = known.get(key)
    assert.equal(table.find(client, null), there ?? null)
    if (there === undefined) {
      const made = session(client)
      table.add(made)
      known.set(key, made)
    } else if (random() < 0.4) {
      table.delete(there)
      known.delete(key)
    }
    assert.equal(table.count, known.size)
  }
})

test('a session that is not there is not deleted, and the same address on another link is another client', () => {
  const table = new SessionTable()
  const one = session(endpoint(1, 53, true))
  table.add(one)
  table.delete(session(endpoint(1, 53, true)))
  assert.equal(table.count, 1)
  const elsewhere = endpoint(1, 53, true)
  elsewhere.scope = 2
  assert.equal(table.find(elsewhere, null), null)
  assert.equal(table.find(endpoint(1, 53, true), null), one)
})
