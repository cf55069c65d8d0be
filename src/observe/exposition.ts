import type { MetricDefinition, MetricsTable, Series } from './metrics.ts'

/** A value that is read at the moment of the scrape and has no cell: what the pool table knows. */
export interface Sample {
  readonly values: readonly string[]
  readonly value: number
}

/**
 * Writes the Prometheus text format (version 0.0.4): families in the order in which they are added, each with HELP and TYPE once,
 * histograms with cumulative buckets, label values escaped.
 */
export class Exposition {
  readonly #lines: string[] = []

  family(definition: MetricDefinition, samples: readonly Sample[]): void {
    this.#open(definition)
    for (const { values, value } of samples) this.#lines.push(`${definition.name}${labels(definition.labels, values)} ${number(value)}`)
  }

  /** All series of one definition out of the table. */
  series(definition: MetricDefinition, all: readonly Series[], table: MetricsTable): void {
    this.#open(definition)
    for (const series of all) {
      if (series.definition.name !== definition.name) continue
      if (definition.type === 'histogram') this.#histogram(definition, series, table)
      else this.#lines.push(`${definition.name}${labels(definition.labels, series.values)} ${number(table.sum(series.cell))}`)
    }
  }

  text(): string {
    return `${this.#lines.join('\n')}\n`
  }

  #open(definition: MetricDefinition): void {
    this.#lines.push(`# HELP ${definition.name} ${escapeHelp(definition.help)}`, `# TYPE ${definition.name} ${definition.type}`)
  }

  #histogram(definition: MetricDefinition, series: Series, table: MetricsTable): void {
    const buckets = definition.buckets ?? []
    let cumulative = 0
    for (let i = 0; i <= buckets.length; i++) {
      cumulative += table.sum(series.cell + i)
      const bound = i === buckets.length ? '+Inf' : number(buckets[i])
      this.#lines.push(`${definition.name}_bucket${labels([...definition.labels, 'le'], [...series.values, bound])} ${number(cumulative)}`)
    }
    const own = labels(definition.labels, series.values)
    this.#lines.push(`${definition.name}_sum${own} ${number(table.sum(series.cell + buckets.length + 1))}`)
    this.#lines.push(`${definition.name}_count${own} ${number(cumulative)}`)
  }
}

/** The value below which the share `quantile` of a histogram's observations lies, as the upper bound of its bucket; NaN without any. */
export function quantile(table: MetricsTable, cell: number, buckets: readonly number[], share: number): number {
  const counts = Array.from({ length: buckets.length + 1 }, (_, i) => table.sum(cell + i))
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return Number.NaN
  let seen = 0
  for (const [i, count] of counts.entries()) {
    seen += count
    if (seen >= total * share) return buckets[i] ?? Number.POSITIVE_INFINITY
  }
  return Number.POSITIVE_INFINITY
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
