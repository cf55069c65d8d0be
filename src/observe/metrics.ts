import { HISTOGRAM_CELLS, type HistogramTotals, readHistogram } from './histogram.ts'

/** One metric, declared once: its series, its exposition and its line in docs/metrics.md come from here. */
export interface MetricDefinition {
  /** Prometheus name with its unit, "evener_http_requests_total". A histogram is of durations and ends in "_seconds". */
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
}

/** What this room counts of itself. */
export const OBSERVE_METRICS = {
  overflowed: {
    name: 'evener_metrics_overflowed_total',
    type: 'counter',
    help: 'Series that are not shown, because the table of metrics was full when a configuration named them.',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>

/** Doubles in a cache line: the header and each worker's row start on one of their own. */
const LINE_DOUBLES = 8
const HEADER_DOUBLES = LINE_DOUBLES
const WORKERS_AT = 0
const CAPACITY_AT = 1

/**
 * The numbers of all series, in one SharedArrayBuffer: a row of doubles for each worker, written by that worker alone and
 * without Atomics, and read by the control thread, which adds the rows up. An aligned double is never seen half-written on the
 * 64-bit machines that Node runs on. Counting is `row[cell]++`, about 1 ns. Rows that are not used take no memory.
 *
 *   | workers, capacity | row of worker 0: cell 0, 1, 2 … | row of worker 1 | …
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

  /** `capacity` is the number of cells; a counter or gauge takes one, a histogram HISTOGRAM_CELLS. */
  static create(workers: number, capacity = 131_072): MetricsTable {
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

  /** The cells that one worker writes: `row[cell]++`. */
  row(worker: number): Float64Array {
    return new Float64Array(this.buffer, (HEADER_DOUBLES + worker * this.capacity) * 8, this.capacity)
  }

  /** A counter or gauge over all workers. */
  sum(cell: number): number {
    let total = 0
    for (let worker = 0, at = HEADER_DOUBLES + cell; worker < this.workers; worker++, at += this.capacity) total += this.#cells[at]
    return total
  }

  /** A histogram over all workers. */
  histogram(cell: number): HistogramTotals {
    return readHistogram(cell, (each) => this.sum(each))
  }

  /** Sets a cell back in the row of a worker that died: gauges count what is there, and its connections are not. */
  clear(worker: number, cell: number): void {
    this.#cells[HEADER_DOUBLES + worker * this.capacity + cell] = 0
  }
}

export interface Series {
  readonly definition: MetricDefinition
  readonly values: readonly string[]
  readonly cell: number
}

/**
 * Gives out cells, in the control thread. A series that was there before a reload keeps its cell, so counters never go back. Series of
 * things that are gone stay, as Prometheus expects of counters, until the table is full: then new ones share cells that are
 * not shown, and `overflowed` counts them. So names that change with every reload cannot use up memory.
 */
export class SeriesAllocator {
  readonly #table: MetricsTable
  readonly #series = new Map<string, Series>()
  /** The cells before are the common drain: as many as the largest series has. */
  #next = HISTOGRAM_CELLS
  #overflowed = 0

  constructor(table: MetricsTable) {
    this.#table = table
  }

  get all(): readonly Series[] {
    return [...this.#series.values()]
  }

  /** How many series could not be given cells of their own. */
  get overflowed(): number {
    return this.#overflowed
  }

  cell(definition: MetricDefinition, values: readonly string[]): number {
    const key = JSON.stringify([definition.name, ...values])
    const known = this.#series.get(key)
    if (known !== undefined) return known.cell
    const size = definition.type === 'histogram' ? HISTOGRAM_CELLS : 1
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
