/** One metric, declared once: its series, its exposition and its line in docs/metrics.md come from here. */
export interface MetricDefinition {
  /** Prometheus name with its unit, "evener_http_requests_total". */
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
  /** Upper bounds of a histogram's buckets, ascending, without +Inf. */
  readonly buckets?: readonly number[]
}

const HEADER_DOUBLES = 8
const WORKERS_AT = 0
const CAPACITY_AT = 1
/** Doubles in a cache line: each worker's row starts on one of its own. */
const LINE_DOUBLES = 8

/**
 * The numbers of all series, in one SharedArrayBuffer: a row of doubles for each worker, written by that worker alone and
 * without Atomics, and read by the control thread, which adds the rows up. An aligned double is never seen half-written.
 */
export class MetricsTable {
  readonly buffer: SharedArrayBuffer
  readonly workers: number
  readonly capacity: number
  readonly #cells: Float64Array

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.#cells = new Float64Array(buffer)
    this.workers = this.#cells[WORKERS_AT]
    this.capacity = this.#cells[CAPACITY_AT]
  }

  /** `capacity` is the number of cells; a counter takes one, a histogram one for each bucket and three more. */
  static create(workers: number, capacity = 65_536): MetricsTable {
    const rounded = Math.ceil(capacity / LINE_DOUBLES) * LINE_DOUBLES
    const buffer = new SharedArrayBuffer((HEADER_DOUBLES + workers * rounded) * 8)
    const header = new Float64Array(buffer)
    header[WORKERS_AT] = workers
    header[CAPACITY_AT] = rounded
    return new MetricsTable(buffer)
  }

  static attach(buffer: SharedArrayBuffer): MetricsTable {
    return new MetricsTable(buffer)
  }

  /** The cells that one worker writes: `row[series]++`. */
  row(worker: number): Float64Array {
    return new Float64Array(this.buffer, (HEADER_DOUBLES + worker * this.capacity) * 8, this.capacity)
  }

  sum(cell: number): number {
    let total = 0
    for (let worker = 0, at = HEADER_DOUBLES + cell; worker < this.workers; worker++, at += this.capacity) total += this.#cells[at]
    return total
  }

  /** Sets a cell back in the row of a worker that died: gauges count what is there, and its connections are not. */
  clear(worker: number, cell: number): void {
    this.#cells[HEADER_DOUBLES + worker * this.capacity + cell] = 0
  }
}

/** Adds a value to the histogram whose cells start at `series`: its buckets, then +Inf, sum and count. */
export function observeValue(row: Float64Array, series: number, buckets: readonly number[], value: number): void {
  let bucket = 0
  while (bucket < buckets.length && value > buckets[bucket]) bucket++
  row[series + bucket]++
  row[series + buckets.length + 1] += value
  row[series + buckets.length + 2]++
}

export interface Series {
  readonly definition: MetricDefinition
  readonly values: readonly string[]
  readonly cell: number
}

/**
 * Gives out cells, in the control thread. A series that was there before a reload keeps its cell, so counters never go back. Series of
 * things that are gone stay, as Prometheus expects of counters, until the table is full: then new ones share one cell
 * that is not shown.
 */
export class SeriesAllocator {
  readonly #table: MetricsTable
  readonly #series = new Map<string, Series>()
  #next: number
  #overflowed = 0

  constructor(table: MetricsTable) {
    this.#table = table
    // The first cells are the common drain for what does not fit any more: the largest histogram has fewer.
    this.#next = 64
  }

  get all(): readonly Series[] {
    return [...this.#series.values()]
  }

  /** How many series could not be given cells of their own. */
  get overflowed(): number {
    return this.#overflowed
  }

  cell(definition: MetricDefinition, values: readonly string[]): number {
    const key = `${definition.name}\n${values.join('\n')}`
    const known = this.#series.get(key)
    if (known !== undefined) return known.cell
    const size = definition.type === 'histogram' ? (definition.buckets?.length ?? 0) + 3 : 1
    if (this.#next + size > this.#table.capacity) {
      this.#overflowed++
      return 0
    }
    const cell = this.#next
    this.#next += size
    this.#series.set(key, { definition, values, cell })
    return cell
  }
}
