import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientAddress } from '../../../src/core/index.ts'
import {
  MAX_HEADER_BYTES,
  ProxyHeader,
  parseProxyHeader,
  writeProxyHeader,
  writeProxyLine,
  writeSsl,
} from '../../../src/proxy/proxy-protocol/index.ts'
import { between, pick, seededRandom } from '../../support/random.ts'

const ROUNDS = 20_000
const random = seededRandom(20_261_121)

function address(isIPv4: boolean): ClientAddress {
  const word = () => (random() * 2 ** 32) | 0
  const out = new ClientAddress()
  if (isIPv4) out.setIPv4(word())
  else out.setIPv6(word(), word(), word(), word())
  return out
}

function someBytes(longest: number): Uint8Array {
  return Uint8Array.from({ length: between(random, 0, longest) }, () => between(random, 0, 255))
}

function someSsl(): Uint8Array {
  const text = (): string => String.fromCharCode(...someBytes(30).map((byte) => 0x61 + (byte % 26)))
  if (random() < 0.5) return new Uint8Array(0)
  return writeSsl({ version: text(), cipher: text(), peerSubject: `CN=${text()}`, isResumed: random() < 0.5 })
}

/** A valid header of either version. */
function header(): Uint8Array {
  const memory = new Uint8Array(MAX_HEADER_BYTES)
  const isIPv4 = random() < 0.5
  const port = () => between(random, 0, 65535)
  const ends = { source: address(isIPv4), sourcePort: port(), destination: address(isIPv4), destinationPort: port() }
  if (random() < 0.4) return memory.subarray(0, writeProxyLine(memory, 0, ends))
  const tlvs = { authority: someBytes(255), alpn: someBytes(20), uniqueId: someBytes(128), ssl: someSsl(), hasChecksum: random() < 0.5 }
  return memory.subarray(0, writeProxyHeader(memory, 0, ends, tlvs))
}

test('every truncation of a header is incomplete, and the whole of it is read', () => {
  const out = new ProxyHeader()
  for (let round = 0; round < 300; round++) {
    const bytes = header()
    for (let length = 0; length < bytes.length; length++)
      assert.equal(parseProxyHeader(bytes, 0, length, out), 0, `${Buffer.from(bytes.subarray(0, length)).toString('hex')}`)
    assert.equal(parseProxyHeader(bytes, 0, bytes.length, out), bytes.length)
  }
})

test('whatever bytes come, the result lies within them and so do the ranges', () => {
  const out = new ProxyHeader()
  for (let round = 0; round < ROUNDS; round++) {
    const memory = Uint8Array.from([...someBytes(5), ...header(), ...someBytes(40)])
    for (let i = between(random, 0, 4); i > 0; i--)
      memory[between(random, 0, memory.length - 1)] = pick(random, [0, 0x0a, 0x0d, 0x20, 0x30, 0xff, between(random, 0, 255)])
    const start = between(random, 0, Math.min(6, memory.length))
    const end = between(random, start, memory.length)
    const result = parseProxyHeader(memory, start, end, out)
    if (result <= 0) {
      assert.ok(result > -9)
      continue
    }
    assert.ok(result > start && result <= end)
    for (const [from, to] of [
      [out.alpnStart, out.alpnEnd],
      [out.authorityStart, out.authorityEnd],
      [out.uniqueIdStart, out.uniqueIdEnd],
      [out.sslStart, out.sslEnd],
    ])
      assert.ok(from === to || (from > start && to > from && to <= result))
    assert.ok(out.sourcePort >= 0 && out.sourcePort <= 65535 && out.destinationPort >= 0 && out.destinationPort <= 65535)
  }
})

test('what follows a header does not change how it is read', () => {
  const [one, two] = [new ProxyHeader(), new ProxyHeader()]
  for (let round = 0; round < 2000; round++) {
    const bytes = header()
    const longer = Uint8Array.from([...bytes, ...someBytes(60)])
    assert.equal(parseProxyHeader(bytes, 0, bytes.length, one), parseProxyHeader(longer, 0, longer.length, two))
    assert.deepEqual(one, two)
  }
})
