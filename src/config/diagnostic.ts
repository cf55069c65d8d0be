import type { Complaint, ConfigCode, Path, Severity } from '../schema/index.ts'
import type { Span } from './source.ts'

/** One thing that is wrong, and where. Plain data; `evener check --json` prints a list of them. */
export interface Diagnostic {
  readonly severity: Severity
  readonly code: ConfigCode
  readonly file: string
  /** From 1; 0 where the place has no text (what a program has computed, the command line). */
  readonly line: number
  readonly column: number
  /** Characters of the line to underline. */
  readonly length: number
  /** "pools.web.algorithm"; empty for the whole file. */
  readonly path: string
  readonly message: string
  readonly suggestion?: string
  /** The line of the file. */
  readonly source?: string
}

/** What is wrong at a path; its place in a file is found later. `key` points at the option's name, `value` at what it says. */
export interface Finding {
  readonly path: Path
  readonly part: 'key' | 'value'
  readonly complaint: Complaint
}

const NOWHERE = { line: 0, column: 0, length: 0 }

export function diagnose(complaint: Complaint, file: string, span: Span | undefined, path: Path = []): Diagnostic {
  const { severity = 'error', code, message, hint } = complaint
  const place = span ?? NOWHERE
  return { severity, code, file, ...place, path: formatPath(path), message, ...(hint === undefined ? {} : { suggestion: hint }) }
}

/** "listeners.web.http.routes[2]"; keys that are no words stand in brackets. */
export function formatPath(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`
      if (!/^[\w-]+$/.test(step)) return `[${JSON.stringify(step)}]`
      return index === 0 ? step : `.${step}`
    })
    .join('')
}

/** The inverse of formatPath. */
export function parsePath(text: string): Path {
  return [...text.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([\w-]+)/g)].map(([, index, quoted, word]) => {
    if (index !== undefined) return Number(index)
    return quoted === undefined ? word : (JSON.parse(quoted) as string)
  })
}

/** By file in the order in which they were read, and by place; of equal ones the first. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[], files: readonly string[]): Diagnostic[] {
  const seen = new Set<string>()
  return diagnostics
    .filter(({ file, line, column, path, message }) => {
      const key = JSON.stringify([file, line, column, path, message])
      return !seen.has(key) && seen.add(key)
    })
    .sort((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column)
}
