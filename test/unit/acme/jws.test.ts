import assert from 'node:assert/strict'
import { createHash, createHmac, createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import { AccountKey } from '../../../src/acme/jws.ts'

test('a signed message is one of ES256 over its two parts', () => {
  const key = AccountKey.create()
  const jws = key.sign({ nonce: 'n', url: 'https://ca.test/x' }, '{"a":1}')
  const publicKey = createPublicKey({ key: { ...key.jwk }, format: 'jwk' })
  const signed = Buffer.from(`${jws.protected}.${jws.payload}`)
  assert.ok(verify('sha256', signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.from(jws.signature, 'base64url')))
  assert.deepEqual(JSON.parse(Buffer.from(jws.protected, 'base64url').toString()), { alg: 'ES256', nonce: 'n', url: 'https://ca.test/x' })
  assert.equal(Buffer.from(jws.payload, 'base64url').toString(), '{"a":1}')
  assert.equal(key.sign({}, '').payload, '', 'POST-as-GET has an empty payload')
})

test('a key survives its PEM, and has the thumbprint of RFC 7638', () => {
  const key = AccountKey.create()
  const again = AccountKey.parse(key.pem())
  assert.deepEqual(again.jwk, key.jwk)
  const { x, y } = key.jwk
  const thumbprint = createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).digest('base64url')
  assert.equal(again.thumbprint, thumbprint)
  assert.equal(again.authorize('token'), `token.${thumbprint}`)
})

test('a binding to an external account is signed with its MAC key over our public key', () => {
  const key = AccountKey.create()
  const secret = Buffer.from('secret').toString('base64url')
  const jws = key.bind('https://ca.test/new', { id: 'kid', key: secret })
  const mac = createHmac('sha256', 'secret').update(`${jws.protected}.${jws.payload}`).digest('base64url')
  assert.equal(jws.signature, mac)
  assert.deepEqual(JSON.parse(Buffer.from(jws.protected, 'base64url').toString()), { alg: 'HS256', kid: 'kid', url: 'https://ca.test/new' })
  assert.deepEqual(JSON.parse(Buffer.from(jws.payload, 'base64url').toString()), key.jwk)
})

test('what is no key for ES256 is refused', () => {
  assert.throws(() => AccountKey.parse('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'))
})
