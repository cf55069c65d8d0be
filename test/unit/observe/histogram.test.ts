import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DURATION_BOUNDS_US, HISTOGRAM_CELLS, observeDuration, quantileMs, readHistogram } from '../../../src/observe/histogram.ts'

function record(...milliseconds: number[]) {
  const row = new Float64Array(HISTOGRAM_CELLS + 20)
  for (const each of milliseconds) observeDuration(row, 10, each)
  return readHistogram(10, (cell) => row[cell])
}

describe('duration histograms', () => {
  it('put every duration into the first bucket whose bound is not below it', () => {
    const microseconds = fc.oneof(
      fc.integer({ min: 0, max: 200_000_000 }),
      fc.integer({ min: 0, max: 3000 }),
      fc.constantFrom(...DURATION_BOUNDS_US, 2 ** 31, 2 ** 40),
    )
    fc.assert(
      fc.property(microseconds, (us) => {
        const { counts, count } = record(us / 1000)
        const expected = DURATION_BOUNDS_US.findIndex((bound) => us <= bound)
        assert.equal(counts.indexOf(1), expected === -1 ? DURATION_BOUNDS_US.length : expected, `${us} µs`)
        assert.equal(count, 1)
      }),
      { numRuns: 3000 },
    )
  })

  it('have buckets that are at most an eighth wider than their lower bound', () => {
    for (let i = 1; i < DURATION_BOUNDS_US.length; i++) assert.ok(DURATION_BOUNDS_US[i] <= DURATION_BOUNDS_US[i - 1] * 1.125 + 1e-9)
  })

  it('know percentiles within an eighth', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.02, max: 90_000, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.constantFrom(0.5, 0.9, 0.99, 1),
        (durations, share) => {
          const sorted = durations.toSorted((a, b) => a - b)
          const exact = sorted[Math.ceil(sorted.length * share) - 1]
          const estimate = quantileMs(record(...durations), share)
          assert.ok(estimate >= exact / 1.13 - 0.001 && estimate <= exact * 1.13 + 0.001, `${estimate} for ${exact}`)
        },
      ),
    )
  })

  it('know no percentile without observations, and the last bound for what is beyond', () => {
    assert.ok(Number.isNaN(quantileMs(record(), 0.5)))
    assert.equal(quantileMs(record(500_000), 0.5), 100_000)
  })

  it('keep the sum', () => {
    assert.ok(Math.abs(record(1, 2.5, 1000).sumSeconds - 1.0035) < 1e-12)
  })
})
