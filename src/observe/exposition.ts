import { SHOWN_BOUNDS } from './histogram.ts'
import type { MetricDefinition, MetricsTable, Series } from './metrics.ts'

/** A value that is read at the moment of the scrape and has no cell: what the pool table knows. */
export interface Sample {
  readonly values: readonly string[]
  readonly value: number
}

/** The Content-Type of the page. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * Writes the Prometheus text format (version 0.0.4): families in the order in which they are added, each with HELP and TYPE once,
 * histograms with cumulative buckets, label values escaped. A family without samples is left out.
 */
export class Exposition {
  readonly #lines: string[] = []

  family(definition: MetricDefinition, samples: readonly Sample[]): void {
    if (samples.length === 0) return
    this.#open(definition)
    for (const { values, value } of samples) this.#lines.push(`${definition.name}${labels(definition.labels, values)} ${number(value)}`)
  }

  /** All series of one definition out of the table. */
  series(definition: MetricDefinition, all: readonly Series[], table: MetricsTable): void {
    const own = all.filter((series) => series.definition.name === definition.name)
    if (definition.type !== 'histogram') {
      const samples = own.map(({ values, cell }) => ({ values, value: table.sum(cell) }))
      this.family(definition, samples)
    } else if (own.length > 0) {
      this.#open(definition)
      for (const series of own) this.#histogram(definition, series, table)
    }
  }

  text(): string {
    return this.#lines.length === 0 ? '' : `${this.#lines.join('\n')}\n`
  }

  #open(definition: MetricDefinition): void {
    this.#lines.push(`# HELP ${definition.name} ${escapeHelp(definition.help)}`, `# TYPE ${definition.name} ${definition.type}`)
  }

  #histogram({ name, labels: names }: MetricDefinition, series: Series, table: MetricsTable): void {
    const totals = table.histogram(series.cell)
    let cumulative = 0
    let bucket = 0
    for (const shown of SHOWN_BOUNDS) {
      while (bucket <= shown.bucket) cumulative += totals.counts[bucket++]
      this.#lines.push(`${name}_bucket${labels([...names, 'le'], [...series.values, number(shown.seconds)])} ${number(cumulative)}`)
    }
    this.#lines.push(`${name}_bucket${labels([...names, 'le'], [...series.values, '+Inf'])} ${number(totals.count)}`)
    this.#lines.push(`${name}_sum${labels(names, series.values)} ${number(totals.sumSeconds)}`)
    this.#lines.push(`${name}_count${labels(names, series.values)} ${number(totals.count)}`)
  }
}

function labels(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return ''
  return `{${names.map((name, i) => `${name}="${escapeLabel(values[i] ?? '')}"`).join(',')}}`
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}
