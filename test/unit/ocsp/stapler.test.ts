import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { WebRequest } from '../../../src/core/index.ts'
import { type OcspSubject, Stapler, subjectOf } from '../../../src/ocsp/index.ts'
import { FakePace } from '../../support/fake-pace.ts'
import { needs } from '../../support/needs.ts'
import { OcspAuthority, type ResponseOptions } from '../../support/ocsp.ts'

const openssl = needs('openssl')
const MINUTE = 60_000

interface Setup {
  readonly stapler: Stapler
  readonly pace: FakePace
  readonly requests: WebRequest[]
  readonly log: string[]
  /** What the responder says from now on; null is not there. */
  answer: ResponseOptions | null
  changes: number
}

function setup(t: TestContext, answer: ResponseOptions | null): Setup {
  const authority = new OcspAuthority(t)
  const certificate = authority.issue('http://ocsp.test/')
  const pace = new FakePace()
  const self: Setup = { stapler: undefined as never, pace, requests: [], log: [], answer, changes: 0 }
  const stapler = new Stapler(subjectOf(certificate.cert) as OcspSubject, {
    pace,
    ask: async (request) => {
      self.requests.push(request)
      if (self.answer === null) throw new Error('nobody is there')
      return { status: 200, headers: {}, body: authority.respond(certificate, self.answer) }
    },
    changed: () => self.changes++,
    log: (_level, message) => self.log.push(message),
  })
  t.after(() => stapler.close())
  return Object.assign(self, { stapler })
}

test('a response is asked for at once, and again when half of its time is over', openssl, async (t) => {
  const self = setup(t, { minutes: 60 })
  await self.pace.settled()
  assert.ok(self.stapler.response !== null)
  assert.equal(self.changes, 1)
  const [{ method, url, timeoutMs, maxBytes }] = self.requests
  assert.deepEqual({ method, url, timeoutMs, maxBytes }, { method: 'POST', url: 'http://ocsp.test/', timeoutMs: 10_000, maxBytes: 65_536 })
  const moved = await self.pace.next()
  assert.equal(Math.round(moved / MINUTE), 30)
  assert.equal(self.requests.length, 2)
})

test('a responder that is gone leaves the response until its end, is asked with growing waits, and told of once', openssl, async (t) => {
  const self = setup(t, { minutes: 60 })
  await self.pace.settled()
  self.answer = null
  const waits: number[] = []
  while (self.stapler.response !== null) waits.push(await self.pace.next())
  assert.deepEqual(
    waits.slice(1, 6).map((wait) => Math.round(wait / 1000)),
    [30, 60, 120, 240, 480],
  )
  assert.equal(self.changes, 2)
  assert.equal(self.log.length, 2)
  assert.match(self.log[0], /nobody is there; the response of before is stapled/)
  assert.match(self.log[1], /the response has come to its end; nothing is stapled/)
  self.answer = { minutes: 600 }
})

test('a certificate that was revoked loses its response at once', openssl, async (t) => {
  const self = setup(t, { minutes: 60 })
  await self.pace.settled()
  self.answer = { state: 'revoked' }
  await self.pace.next()
  assert.equal(self.stapler.response, null)
  assert.equal(self.changes, 2)
  assert.match(self.log[0], /revoked on 2026-01-01; nothing is stapled/)
  assert.equal(self.stapler.status().failedCount, 1)
})

test('what is closed asks no more', openssl, async (t) => {
  const self = setup(t, null)
  await self.pace.settled()
  self.stapler.close()
  await self.stapler.ended
  assert.equal(self.requests.length, 1)
})
