import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DER, DerValue, der, derObjectId, derTime } from '../../../src/core/index.ts'

test('what is written is read again, whatever its length', () => {
  for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
    const content = Buffer.alloc(length, 7)
    const value = DerValue.parse(der(DER.SEQUENCE, der(DER.OCTET_STRING, content)))
    assert.deepEqual(value.members(DER.SEQUENCE)[0].demand(DER.OCTET_STRING).content, content)
  }
})

test('object identifiers are written as X.690 has them', () => {
  assert.equal(derObjectId('1.2.840.113549.1.1.11').toString('hex'), '06092a864886f70d01010b')
  assert.equal(derObjectId('2.5.29.17').toString('hex'), '0603551d11')
})

test('times of both kinds are read, and others are not', () => {
  const ms = Date.UTC(2026, 10, 21, 7, 8, 9)
  assert.equal(DerValue.parse(derTime(ms)).time(), ms)
  assert.equal(DerValue.parse(der(DER.UTC_TIME, Buffer.from('261121070809Z'))).time(), ms)
  assert.equal(DerValue.parse(der(DER.UTC_TIME, Buffer.from('501121070809Z'))).time(), Date.UTC(1950, 10, 21, 7, 8, 9))
  for (const text of ['20261121070809', '261121070809Z', '20261121070809+0100', '20261121070809.5Z', ''])
    assert.throws(() => DerValue.parse(der(DER.GENERALIZED_TIME, Buffer.from(text))).time(), /malformed/, text)
})

test('what is no DER is refused in words', () => {
  const refused: [string, RegExp][] = [
    ['', /cut off/],
    ['30', /cut off/],
    ['3001', /cut off/],
    ['3080', /indefinite/],
    ['308100', /shortest/],
    ['30820001', /shortest/],
    ['3085ffffffffff', /too long/],
    ['3084ffffffff', /cut off/],
    ['1f8101', /several bytes/],
    ['300000', /too many/],
  ]
  for (const [hex, words] of refused) assert.throws(() => DerValue.parse(Buffer.from(hex, 'hex')), words, hex)
  assert.throws(() => DerValue.parse(Buffer.from('040100', 'hex')).members(), /no members/)
  assert.throws(() => DerValue.parse(Buffer.from('040100', 'hex')).demand(DER.SEQUENCE), /expected/)
})
