import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { ClientHello, ja3, ja4 } from '../../../../src/engine/tls/index.ts'
import { BROWSER, clientHello } from './hello.ts'

describe('ClientHello', () => {
  const hello = ClientHello.parse(BROWSER)

  it('has name, protocols and lists in the order of the client', () => {
    assert.equal(hello.serverName, 'shop.test')
    assert.deepEqual(hello.protocols, ['h2', 'http/1.1'])
    assert.deepEqual(hello.versions, [0xaaaa, 0x0304, 0x0303])
    assert.equal(hello.ciphers.length, 16)
    assert.equal(hello.extensions.length, 17)
  })

  it('a name that is none is left out, and a final dot dropped', () => {
    const named = (hex: string) => ClientHello.parse(clientHello('1301', [[0, hex]])).serverName
    assert.equal(named('00060000034142 2e'.replace(' ', '')), 'ab')
    assert.equal(named('0006000003610062'), '')
    assert.equal(named('0006010003616263'), '')
  })

  it('JA3 is the MD5 of version, ciphers, extensions, groups and formats, without reserved values', () => {
    const text = [
      '771',
      '4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53',
      '0-23-65281-10-11-35-16-5-13-18-51-45-43-27-17513-21',
      '29-23-24',
      '0',
    ]
    assert.equal(ja3(hello), createHash('md5').update(text.join(',')).digest('hex'))
    assert.equal(ja3(hello), 'cd08e31494f9531f560d64c695473da9')
  })

  it('JA4 is that of the specification for the same browser', () => {
    // github.com/FoxIO-LLC/ja4 names this client so: Chrome over TCP.
    assert.equal(ja4(hello), 't13d1516h2_8daaf6152771_e5627efa2ab1')
  })

  it('JA4 of a bare hello', () => {
    assert.equal(
      ja4(ClientHello.parse(clientHello('c02f', [], '0303'))),
      't12i010000_4d7ac1a1e7f0_000000000000'.replace('4d7ac1a1e7f0', hash('c02f')),
    )
  })
})

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
