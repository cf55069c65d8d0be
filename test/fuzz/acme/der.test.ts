import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { readCertificate, renewalId } from '../../../src/acme/certificate.ts'
import { describeProblem } from '../../../src/acme/problem.ts'
import { makeSelfSigned } from '../../../src/control/self-signed.ts'
import { DerValue, mustStaple } from '../../../src/core/index.ts'
import { readResponse } from '../../../src/ocsp/response.ts'
import { makeOcspRequest, type OcspSubject } from '../../../src/ocsp/subject.ts'

const made = makeSelfSigned(['shop.test'])
const leaf = new X509Certificate(made.cert)
const subject: OcspSubject = { leaf, issuer: leaf, url: 'http://127.0.0.1/' }
const corpus = [leaf.raw, makeOcspRequest(subject)]

/** Bytes out of the corpus with a few changed, put in or cut off. */
const mutated = fc
  .tuple(fc.constantFrom(...corpus), fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 6 }), fc.nat(2000))
  .map(([seed, changes, cut]) => {
    const bytes = Buffer.from(seed)
    for (const [at, value] of changes) bytes[at % bytes.length] = value
    return cut < bytes.length ? bytes.subarray(0, cut) : bytes
  })
const anything = fc.oneof(
  mutated,
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
)

function walk(value: DerValue, depth = 0): number {
  if ((value.tag & 0x20) === 0 || depth > 50) return value.whole.length
  return value.members().reduce((sum, each) => sum + walk(each, depth + 1), 0)
}

test('reading DER stays within its bytes, and ends with a value or an Error in words', () => {
  fc.assert(
    fc.property(anything, (bytes) => {
      try {
        const value = DerValue.parse(bytes)
        assert.equal(value.whole.length, bytes.length)
        assert.ok(walk(value) <= bytes.length)
      } catch (error) {
        assert.ok(error instanceof Error && error.constructor === Error && /DER/.test(error.message), String(error))
      }
    }),
    { numRuns: 3000 },
  )
})

test('whatever a responder sends, nothing but an Error in words comes of it', () => {
  fc.assert(
    fc.property(anything, (bytes) => {
      assert.throws(
        () => readResponse(bytes, subject, Date.now()),
        (error: Error) => !(error instanceof TypeError) && !(error instanceof RangeError),
      )
    }),
    { numRuns: 3000 },
  )
})

test('certificates that are none have no identifier and demand nothing', () => {
  fc.assert(
    fc.property(anything, (bytes) => {
      const id = renewalId(bytes)
      assert.ok(id === undefined || /^[\w-]*\.[\w-]*$/.test(id))
      assert.equal(typeof mustStaple(bytes), 'boolean')
      assert.throws(() => readCertificate(bytes.toString('latin1'), ['other.test']))
    }),
    { numRuns: 1000 },
  )
})

test('problems are told in short and printable words', () => {
  fc.assert(
    fc.property(fc.anything(), fc.jsonValue(), (one, other) => {
      for (const document of [one, other, { detail: { toString: 1 } }, { type: one, detail: other, subproblems: [other, one] }]) {
        const { type, text } = describeProblem(document)
        assert.match(type, /^[\x20-\x7e…]{0,501}$/)
        assert.match(text, /^[\x20-\x7e…]{0,501}$/)
      }
    }),
    { numRuns: 1000 },
  )
})
