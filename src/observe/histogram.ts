/**
 * Histograms of durations, log-linear as HdrHistogram's, but with decimal bounds: 32 buckets a decade from 10 µs to 100 s, none
 * wider than an eighth of its lower bound. So a percentile is known within some percent without anybody choosing buckets,
 * and the bounds that are shown (1, 2.5, 5 in each decade) are exact.
 *
 *   cells of a histogram:   one for each of DURATION_BOUNDS_US │ above the last │ sum in seconds
 */

/** Upper bounds in microseconds, inclusive. */
export const DURATION_BOUNDS_US: readonly number[] = bounds()
/** Cells that a histogram takes. */
export const HISTOGRAM_CELLS = DURATION_BOUNDS_US.length + 2

const SUM_CELL = HISTOGRAM_CELLS - 1
const BOUNDS = Float64Array.from(DURATION_BOUNDS_US)
/** Buckets by the exponent and the next three bits of a value: at most three bounds are looked at from there. */
const FIRST_BUCKET = Uint16Array.from({ length: 32 << 3 }, (_, key) => firstBucket(key))
const LARGEST = 0x7fffffff

/** Adds a duration to the histogram whose cells begin at `cell`. 3 ns, no allocation. */
export function observeDuration(row: Float64Array, cell: number, milliseconds: number): void {
  row[cell + bucketOf(milliseconds * 1000)]++
  row[cell + SUM_CELL] += milliseconds / 1000
}

function bucketOf(microseconds: number): number {
  if (microseconds < 8) return 0
  if (microseconds > LARGEST) return BOUNDS.length
  const exponent = 31 - Math.clz32(microseconds)
  let bucket = FIRST_BUCKET[(exponent << 3) | ((microseconds >> (exponent - 3)) & 7)]
  while (bucket < BOUNDS.length && microseconds > BOUNDS[bucket]) bucket++
  return bucket
}

/** The counts and the sum of one histogram, added up over all workers. */
export interface HistogramTotals {
  /** By bucket, the last one above all bounds. */
  readonly counts: readonly number[]
  readonly count: number
  readonly sumSeconds: number
}

/** Reads a histogram's cells with `read(cell)`. */
export function readHistogram(cell: number, read: (cell: number) => number): HistogramTotals {
  const counts = Array.from({ length: SUM_CELL }, (_, bucket) => read(cell + bucket))
  return { counts, count: counts.reduce((sum, count) => sum + count, 0), sumSeconds: read(cell + SUM_CELL) }
}

/**
 * The duration in milliseconds below which the share `share` of the observations lies (0.99: the 99th percentile), taken as
 * evenly spread within a bucket; NaN without observations, the last bound for what lies above it.
 */
export function quantileMs(totals: HistogramTotals, share: number): number {
  if (totals.count === 0) return Number.NaN
  const wanted = totals.count * share
  let seen = 0
  for (let bucket = 0; bucket < DURATION_BOUNDS_US.length; bucket++) {
    const count = totals.counts[bucket]
    if (count > 0 && seen + count >= wanted) {
      const lower = bucket === 0 ? 0 : DURATION_BOUNDS_US[bucket - 1]
      return (lower + ((DURATION_BOUNDS_US[bucket] - lower) * Math.max(0, wanted - seen)) / count) / 1000
    }
    seen += count
  }
  return DURATION_BOUNDS_US[DURATION_BOUNDS_US.length - 1] / 1000
}

/** Buckets whose bound is shown, with the bound in seconds. */
export const SHOWN_BOUNDS: readonly { readonly bucket: number; readonly seconds: number }[] = DURATION_BOUNDS_US.flatMap(
  (bound, bucket) => {
    const leading = Number(bound.toExponential().split('e')[0])
    return bound >= 100 && [1, 2.5, 5].includes(leading) ? [{ bucket, seconds: bound / 1e6 }] : []
  },
)

function bounds(): number[] {
  const hundredths: number[] = []
  for (let n = 100; n < 200; n += 10) hundredths.push(n)
  for (let n = 200; n < 500; n += 25) hundredths.push(n)
  for (let n = 500; n < 1000; n += 50) hundredths.push(n)
  const all: number[] = []
  for (let decade = 10; decade < 1e8; decade *= 10) for (const n of hundredths) all.push((n * decade) / 100)
  return [...all, 1e8]
}

/** The bucket of the smallest value with that exponent and those bits. */
function firstBucket(key: number): number {
  const exponent = key >> 3
  const smallest = exponent < 3 ? 0 : (8 + (key & 7)) * 2 ** (exponent - 3)
  const bucket = DURATION_BOUNDS_US.findIndex((bound) => smallest <= bound)
  return bucket === -1 ? DURATION_BOUNDS_US.length : bucket
}
