import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backOffMs, momentWithin, renewalMoment } from '../../../src/acme/renewal.ts'

const DAY = 86_400_000
const ninety = { notBeforeMs: 0, notAfterMs: 90 * DAY }

test('without word of the authority a third of the lifetime is left, or a twentieth more', () => {
  assert.equal(renewalMoment(ninety, undefined, 0), 60 * DAY)
  assert.equal(renewalMoment(ninety, undefined, 1), 55.5 * DAY)
  assert.equal(renewalMoment({ notBeforeMs: 0, notAfterMs: 6 * DAY }, undefined, 0), 4 * DAY)
})

test('renewBefore counts from the end, and half of the lifetime is always used', () => {
  assert.equal(renewalMoment(ninety, 10 * DAY, 0), 80 * DAY)
  assert.equal(renewalMoment(ninety, 89 * DAY, 0.5), 45 * DAY)
})

test('a moment lies within the window', () => {
  const window = { startMs: 1000, endMs: 2000, retryAfterMs: 0 }
  assert.deepEqual(
    [0, 0.5, 1].map((random) => momentWithin(window, random)),
    [1000, 1500, 2000],
  )
})

test('waits after failures double up to their maximum, half of each by chance, and never below what was demanded', () => {
  const waits = [1, 2, 3, 20, 2000].map((failures) => backOffMs(failures, 1000, 60_000, 1))
  assert.deepEqual(waits, [1000, 2000, 4000, 60_000, 60_000])
  assert.equal(backOffMs(1, 1000, 60_000, 0), 500)
  assert.equal(backOffMs(1, 1000, 60_000, 0, 90_000), 90_000)
})
