import { styleText } from 'node:util'

/** Codes of diagnostics, never reused for another meaning. */
export const DIAGNOSTIC_CODES = {
  CONFIG_NOT_READABLE: 'the file cannot be read',
  CONFIG_SYNTAX: 'the file is not well-formed YAML, JSON or TypeScript',
  CONFIG_UNKNOWN_KEY: 'there is no option with this name',
  CONFIG_UNKNOWN_VALUE: 'the value is not one of those that the option knows',
  CONFIG_MISSING: 'a required option is missing',
  CONFIG_WRONG_TYPE: 'the value is of another type than the option wants',
  CONFIG_INVALID_VALUE: 'the value is of the right type, but not valid for the option',
  CONFIG_UNKNOWN_REFERENCE: 'a name refers to something that is not there',
  CONFIG_DUPLICATE: 'two things have the same name or address',
  CONFIG_SUBSTITUTION: 'an environment variable or file that the value asks for is not there',
  CONFIG_UNREACHABLE: 'a route can never match, because an earlier one always does',
  CONFIG_UNUSED: 'something is configured that nothing uses',
} as const

export type DiagnosticCode = keyof typeof DIAGNOSTIC_CODES

export interface Diagnostic {
  readonly severity: 'error' | 'warning'
  readonly code: DiagnosticCode
  readonly file: string
  /** From 1; 0 where the place has no text (a TypeScript configuration). */
  readonly line: number
  readonly column: number
  /** Bytes of the line to underline. */
  readonly length: number
  /** "pools.web.algorithm" */
  readonly path: string
  readonly message: string
  readonly suggestion?: string
  /** The line of the file. */
  readonly source?: string
}

/** For the terminal: place, message and code frame of each. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[], options: { readonly color: boolean }): string {
  return diagnostics.map((diagnostic) => formatDiagnostic(diagnostic, options.color)).join('\n')
}

function formatDiagnostic(diagnostic: Diagnostic, color: boolean): string {
  const paint = (style: 'bold' | 'red' | 'yellow' | 'dim', text: string): string =>
    color ? styleText(style, text, { validateStream: false }) : text
  const { severity, file, line, column, path, message, source, suggestion, code } = diagnostic
  const place = line === 0 ? file : `${file}:${line}:${column}`
  const tone = severity === 'error' ? 'red' : 'yellow'
  const about = [path === '' ? '' : `${path}: `, severity === 'warning' ? 'warning: ' : '', message].join('')
  const hint = suggestion === undefined ? '' : `  ${suggestion}`
  const head = `${paint('bold', place)}  ${paint(tone, about)}`
  if (source === undefined || line === 0) return `${head}${hint}  ${paint('dim', `[${code}]`)}`
  const margin = String(line).length
  const shown = source.replaceAll('\t', ' ')
  const carets = '^'.repeat(Math.max(1, Math.min(diagnostic.length, shown.length - column + 1)))
  return `${head}\n  ${line} | ${shown}\n  ${' '.repeat(margin)} | ${' '.repeat(column - 1)}${paint(tone, carets)}${hint}      ${paint('dim', `[${code}]`)}`
}

/** The candidate that is most like the word, if any is like it enough. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = damerauLevenshtein(word.toLowerCase(), candidate.toLowerCase())
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function damerauLevenshtein(a: string, b: string): number {
  if (a.length > 64 || b.length > 64) return Number.POSITIVE_INFINITY
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...Array<number>(b.length).fill(0)])
  for (let j = 0; j <= b.length; j++) rows[0][j] = j
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1)
    }
  }
  return rows[a.length][b.length]
}
