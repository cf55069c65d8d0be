import { styleText } from 'node:util'
import type { Diagnostic } from './diagnostic.ts'

/** Longer lines, as of JSON without line breaks, are shown around the place. */
const MAX_WIDTH = 120
/** What a terminal shows; all of them are in the JSON form. */
const MAX_SHOWN = 100

export interface FormatOptions {
  readonly color: boolean
}

/**
 * For a terminal, with a code frame for each:
 *
 *     edge.yaml:14:16  pools.web.algorithm: unknown algorithm "least-conections"
 *       14 |     algorithm: least-conections
 *          |                ^^^^^^^^^^^^^^^^  did you mean "least-connections"?      [CONFIG_UNKNOWN_VALUE]
 */
export function formatDiagnostics(diagnostics: readonly Diagnostic[], { color }: FormatOptions): string {
  const shown = diagnostics.slice(0, MAX_SHOWN).map((diagnostic) => formatDiagnostic(diagnostic, painter(color)))
  if (diagnostics.length > MAX_SHOWN) shown.push(`… and ${diagnostics.length - MAX_SHOWN} more`)
  return shown.join('\n')
}

/** One line, without colours: what the log and `warnings` of the Plan have. */
export function formatBriefly({ file, line, column, path, message, suggestion }: Diagnostic): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`
  return printable(`${place}  ${path === '' ? '' : `${path}: `}${message}${suggestion === undefined ? '' : ` (${suggestion})`}`)
}

type Painter = (style: 'bold' | 'red' | 'yellow' | 'dim', text: string) => string

function painter(color: boolean): Painter {
  return (style, text) => (color ? styleText(style, text, { validateStream: false }) : text)
}

function formatDiagnostic(diagnostic: Diagnostic, paint: Painter): string {
  const { severity, file, line, column, path, message, source, suggestion, code } = diagnostic
  const tone = severity === 'error' ? 'red' : 'yellow'
  const place = line === 0 ? file : `${file}:${line}:${column}`
  const about = `${path === '' ? '' : `${path}: `}${severity === 'warning' ? 'warning: ' : ''}${message}`
  const head = `${paint('bold', printable(place))}  ${paint(tone, printable(about))}`
  const hint = suggestion === undefined ? '' : `  ${printable(suggestion)}`
  if (source === undefined || line === 0) return `${head}${hint}  ${paint('dim', `[${code}]`)}`
  const { text, indent, carets } = frame(source, column - 1, diagnostic.length)
  const margin = String(line)
  return [
    head,
    `  ${margin} | ${text}`,
    `  ${' '.repeat(margin.length)} | ${indent}${paint(tone, carets)}${hint}      ${paint('dim', `[${code}]`)}`,
  ].join('\n')
}

/** The line, cut to a readable width, and what stands below it. */
function frame(source: string, at: number, length: number): { text: string; indent: string; carets: string } {
  const isLong = source.length > MAX_WIDTH
  const from = isLong ? Math.max(0, Math.min(at - MAX_WIDTH / 3, source.length - MAX_WIDTH)) : 0
  const cut = source.slice(from, from + MAX_WIDTH)
  const before = `${from > 0 ? '…' : ''}${printable(cut.slice(0, at - from))}`
  const marked = printable(cut.slice(at - from, at - from + length))
  const after = `${printable(cut.slice(at - from + length))}${from + MAX_WIDTH < source.length ? '…' : ''}`
  return { text: before + marked + after, indent: ' '.repeat(width(before)), carets: '^'.repeat(Math.max(1, width(marked))) }
}

/** Configurations may hold anything; control characters never reach the terminal. A tab takes one column. */
function printable(text: string): string {
  return text.replace(/\t/g, ' ').replace(/[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '\ufffd')
}

/** Columns of a terminal: East Asian wide characters and emoji take two, combining marks none. */
function width(text: string): number {
  let columns = 0
  for (const character of text) {
    if (/\p{Mn}|\p{Me}|\p{Cf}/u.test(character)) continue
    columns += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
      character,
    )
      ? 2
      : 1
  }
  return columns
}
