import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { CidrSet } from '../../../src/core/cidr-set.ts'
import { EvenerError } from '../../../src/core/errors.ts'
import { ClientAddress, parseIp } from '../../../src/core/ip.ts'

function contains(set: CidrSet, text: string): boolean {
  const address = new ClientAddress()
  assert.ok(parseIp(text, address), text)
  return set.contains(address)
}

describe('CIDR sets', () => {
  it('contain the first and the last address of a range and none beside them', () => {
    const set = CidrSet.parse(['10.0.0.0/8', '192.0.2.128/25', '203.0.113.7', '2001:db8::/32'])
    for (const text of ['10.0.0.0', '10.255.255.255', '192.0.2.128', '192.0.2.255', '203.0.113.7', '2001:db8::', '2001:db8:ffff::1'])
      assert.ok(contains(set, text), text)
    for (const text of ['9.255.255.255', '11.0.0.0', '192.0.2.127', '203.0.113.6', '203.0.113.8', '2001:db7:ffff::', '2001:db9::', '::'])
      assert.ok(!contains(set, text), text)
  })

  it('merge ranges that overlap or touch', () => {
    assert.equal(CidrSet.parse(['10.0.0.0/9', '10.128.0.0/9', '10.3.0.0/16', '10.0.0.0/8']).size, 1)
    assert.equal(CidrSet.parse(['10.0.0.1', '10.0.0.3', '::1', '::2', '::4']).size, 4)
  })

  it('hold everything with /0, for the family that it is written in', () => {
    const all4 = CidrSet.parse(['0.0.0.0/0'])
    assert.ok(contains(all4, '255.255.255.255'))
    assert.ok(contains(all4, '::ffff:1.2.3.4'))
    assert.ok(!contains(all4, '::1'))
    const all6 = CidrSet.parse(['::/0'])
    assert.ok(contains(all6, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'))
    assert.ok(!contains(all6, '1.2.3.4'))
  })

  it('treat an IPv4-mapped range as IPv4', () => {
    const set = CidrSet.parse(['::ffff:10.0.0.0/104'])
    assert.ok(contains(set, '10.200.0.1'))
    assert.ok(contains(set, '::ffff:10.200.0.1'))
    assert.ok(!contains(set, '11.0.0.0'))
  })

  it('hold nobody when they are empty, and never a peer without an address', () => {
    assert.ok(!contains(CidrSet.parse([]), '10.0.0.1'))
    assert.ok(!CidrSet.parse(['0.0.0.0/0', '::/0']).contains(new ClientAddress()))
  })

  it('refuse what is not a range and name it', () => {
    for (const text of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0/8', 'example.test', '10.0.0.0/8/8', '10.0.0.0/-1', 'fe80::1%eth0/64'])
      assert.throws(
        () => CidrSet.parse([text]),
        (error) => error instanceof EvenerError && error.code === 'ADDRESS_INVALID' && error.message.includes(text),
      )
  })

  it('agree with ipaddr.js about random ranges and addresses', () => {
    // ipaddr.js reads IPv4-compatible addresses (::192.0.2.1) and ranges of IPv4-mapped ones in its own way.
    const ipV6 = fc.ipV6().filter((text) => !text.includes('.') && !/^[0:]*:ffff/i.test(text))
    const range4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([ip, length]) => `${ip}/${length}`)
    const range6 = fc.tuple(ipV6, fc.integer({ min: 0, max: 128 })).map(([ip, length]) => `${ip}/${length}`)
    const ranges = fc.array(fc.oneof(range4, range6), { maxLength: 20 })
    const addresses = fc.array(fc.oneof(fc.ipV4(), ipV6), { maxLength: 20 })
    fc.assert(
      fc.property(ranges, addresses, (ranges, addresses) => {
        const set = CidrSet.parse(ranges)
        for (const text of [...addresses, ...ranges.map((range) => range.split('/')[0])]) {
          const address = ipaddr.process(text)
          const expected = ranges.some((range) => {
            const [network, bits] = ipaddr.parseCIDR(range)
            return network.kind() === address.kind() && address.match(network as ipaddr.IPv6, bits)
          })
          assert.equal(contains(set, text), expected, `${text} in ${ranges.join(' ')}`)
        }
      }),
      { numRuns: 500 },
    )
  })
})
