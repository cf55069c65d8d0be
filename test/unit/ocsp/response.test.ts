import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { readResponse } from '../../../src/ocsp/response.ts'
import { type OcspSubject, subjectOf } from '../../../src/ocsp/subject.ts'
import { needs } from '../../support/needs.ts'
import { OcspAuthority, type ResponseOptions } from '../../support/ocsp.ts'

const openssl = needs('openssl')
const HOUR = 3_600_000

function setup(t: TestContext): { subject: OcspSubject; respond(options?: ResponseOptions): Buffer; other(): Buffer } {
  const authority = new OcspAuthority(t)
  const certificate = authority.issue('http://127.0.0.1:1/ocsp')
  return {
    subject: subjectOf(certificate.cert) as OcspSubject,
    respond: (options) => authority.respond(certificate, options),
    other: () => authority.respond(authority.issue('http://127.0.0.1:1/ocsp')),
  }
}

test('a response of the issuer, or of whom it has appointed, says until when the certificate is good', openssl, (t) => {
  const { subject, respond } = setup(t)
  for (const signer of ['issuer', 'appointed'] as const) {
    const said = readResponse(respond({ signer }), subject, Date.now())
    assert.ok(said.kind === 'good')
    assert.equal(said.nextUpdateMs - said.thisUpdateMs, HOUR)
  }
})

test('a revoked certificate is told with its day', openssl, (t) => {
  const { subject, respond } = setup(t)
  assert.deepEqual(readResponse(respond({ state: 'revoked' }), subject, Date.now()), { kind: 'revoked', day: '2026-01-01' })
})

test('every other response is refused in words', openssl, (t) => {
  const { subject, respond, other } = setup(t)
  const read =
    (bytes: Buffer, atMs = Date.now()) =>
    () =>
      readResponse(bytes, subject, atMs)
  assert.throws(read(respond({ state: 'unknown' })), /does not know the certificate/)
  assert.throws(read(respond({ signer: 'stranger' })), /signature of the response is wrong/)
  assert.throws(read(respond({ signer: 'not-appointed' })), /not for signing responses/)
  assert.throws(read(other()), /about another certificate/)
  assert.throws(read(respond({ digest: 'sha1' })), /not accepted/)
  const good = respond()
  assert.throws(read(good, Date.now() + 2 * HOUR), /too old/)
  assert.throws(read(good, Date.now() - HOUR), /of the future/)
  assert.throws(read(Buffer.from('30030a0103', 'hex')), /refuses: try later/)
  assert.throws(read(Buffer.from('<html>')), /DER|expected|cut off/)
  assert.throws(read(Buffer.alloc(0)), /cut off/)
  for (let at = 0; at < good.length; at++) {
    const spoilt = Buffer.from(good)
    spoilt[at] ^= 0x20
    // The frame around what is signed may be spoilt where that makes no difference.
    let said: unknown
    try {
      said = readResponse(spoilt, subject, Date.now())
    } catch {
      continue
    }
    assert.ok(at < 40, `byte ${at} was changed, and the response is ${JSON.stringify(said)}`)
  }
})

test('what can be asked about a chain, and why nothing can', openssl, (t) => {
  const authority = new OcspAuthority(t)
  const { cert } = authority.issue('http://127.0.0.1:1/ocsp')
  const alone = cert.slice(0, cert.indexOf('-----END CERTIFICATE-----') + 26)
  assert.equal((subjectOf(cert) as OcspSubject).url, 'http://127.0.0.1:1/ocsp')
  assert.equal(subjectOf(alone), "its issuer's certificate does not stand behind it")
  assert.equal(subjectOf(authority.authority.cert), 'the certificate names no OCSP responder')
  assert.throws(() => subjectOf('nonsense'))
})
