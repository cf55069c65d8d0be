import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { ClientAddress, formatIp, IP_TEXT_BYTES, parseIp, parseIpBytes, writeIp } from '../../../src/core/ip.ts'

function canonical(text: string): string {
  const address = new ClientAddress()
  return parseIp(text, address) ? formatIp(address) : 'invalid'
}

describe('IP addresses', () => {
  it('reads and writes IPv4', () => {
    for (const text of ['0.0.0.0', '127.0.0.1', '192.0.2.45', '255.255.255.255', '100.10.9.200']) assert.equal(canonical(text), text)
  })

  it('writes IPv6 as RFC 5952 says', () => {
    assert.equal(canonical('2001:0DB8::0001'), '2001:db8::1')
    assert.equal(canonical('2001:db8:0:1:1:1:1:1'), '2001:db8:0:1:1:1:1:1')
    assert.equal(canonical('2001:0:0:1:0:0:0:1'), '2001:0:0:1::1')
    assert.equal(canonical('2001:db8:0:0:1:0:0:1'), '2001:db8::1:0:0:1')
    assert.equal(canonical('::'), '::')
    assert.equal(canonical('::1'), '::1')
    assert.equal(canonical('1::'), '1::')
    assert.equal(canonical('64:ff9b::192.0.2.1'), '64:ff9b::c000:201')
  })

  it('takes an IPv4-mapped IPv6 address for the IPv4 address that it is', () => {
    const mapped = new ClientAddress()
    const plain = new ClientAddress()
    assert.ok(parseIp('::ffff:192.0.2.1', mapped))
    assert.ok(parseIp('192.0.2.1', plain))
    assert.equal(mapped.family, 4)
    assert.ok(mapped.equals(plain))
    assert.equal(canonical('::FFFF:c000:201'), '192.0.2.1')
  })

  it('drops the zone of a link-local address', () => {
    assert.equal(canonical('fe80::1%eth0'), 'fe80::1')
    assert.equal(canonical('127.0.0.1%lo'), 'invalid')
  })

  it('refuses what is not an address, and clears the result', () => {
    const texts = ['', '1', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.4 ', '0x7f.0.0.1', '1..2.3', '.1.2.3']
    texts.push(':', ':::', '1:2', '1::2::3', '12345::', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7::8', '::1.2.3', '::g', '1:2:3:4:5:6:7:')
    texts.push('[::1]', '::1.2.3.4:5', '1:2:3:4:5:6:7:1.2.3.4', 'x'.repeat(500), '１.2.3.4')
    for (const text of texts) {
      const address = new ClientAddress()
      address.setIPv4(1)
      assert.equal(parseIp(text, address), false, text)
      assert.equal(address.family, 0, text)
    }
  })

  it('agrees with ipaddr.js and node:net about every address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ unit: fc.constantFrom(...'0123456789abcf:.:.') })), (text) => {
        const address = new ClientAddress()
        const accepted = parseIp(text, address)
        assert.equal(accepted, isIP(text) !== 0)
        // ipaddr.js takes the deprecated IPv4-compatible form (::192.0.2.1) for an IPv4-mapped one.
        if (accepted && !/^0*::\d+\./.test(text)) assert.equal(formatIp(address), ipaddr.process(text).toString())
      }),
      { numRuns: 2000 },
    )
  })

  it('survives a round trip through bytes, within the promised length', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffffffff), { minLength: 4, maxLength: 4 }), ([a, b, c, d]) => {
        const address = new ClientAddress()
        address.setIPv6(a | 0, b | 0, c | 0, d | 0)
        const bytes = new Uint8Array(100)
        const end = writeIp(bytes, 7, address)
        assert.ok(end - 7 <= IP_TEXT_BYTES)
        const again = new ClientAddress()
        assert.ok(parseIpBytes(bytes, 7, end, again))
        assert.ok(again.equals(address))
      }),
    )
  })

  it('writes "-" for a peer without an IP address', () => {
    assert.equal(formatIp(new ClientAddress()), '-')
  })
})
