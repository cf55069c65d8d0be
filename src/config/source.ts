import { type Document, isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml'
import type { Diagnostic, DiagnosticCode } from './diagnostic.ts'

export const MAX_FILE_BYTES = 8 * 1024 * 1024
/** Aliases may not make more than this many times the nodes of the file (a "billion laughs" of YAML). */
const MAX_ALIASES = 100

export type Path = readonly (string | number)[]

/** A file of the configuration: its text, and where each value stands in it. */
export class Source {
  readonly file: string
  readonly #lines: readonly string[]
  readonly #counter = new LineCounter()
  readonly #document: Document.Parsed | null
  readonly problems: Diagnostic[] = []

  /** JSON is read as the YAML that it is. */
  constructor(file: string, text: string) {
    this.file = file
    this.#lines = text.split(/\r?\n/)
    this.#document = parseDocument(text.replace(/^\ufeff/, ''), {
      lineCounter: this.#counter,
      prettyErrors: false,
      uniqueKeys: true,
      version: '1.2',
      merge: false,
    })
    for (const error of this.#document.errors) {
      const code: DiagnosticCode = error.code === 'DUPLICATE_KEY' ? 'CONFIG_DUPLICATE' : 'CONFIG_SYNTAX'
      this.problems.push(this.#at(error.pos[0], Math.max(1, error.pos[1] - error.pos[0]), [], code, error.message))
    }
  }

  /** The scalars of the file, for substitution; `replace` may change the value in place. */
  visitScalars(replace: (value: string, report: (message: string) => void) => string): void {
    if (this.#document === null) return
    visit(this.#document, {
      Scalar: (key, node) => {
        if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return
        const offset = node.range?.[0] ?? 0
        const length = (node.range?.[1] ?? offset) - offset
        node.value = replace(node.value, (message) => this.problems.push(this.#at(offset, length, [], 'CONFIG_SUBSTITUTION', message)))
      },
    })
  }

  /** The values as plain data. */
  value(): unknown {
    if (this.#document === null || this.problems.some(({ code }) => code === 'CONFIG_SYNTAX')) return undefined
    try {
      return this.#document.toJS({ maxAliasCount: MAX_ALIASES })
    } catch (error) {
      this.problems.push(this.#at(0, 1, [], 'CONFIG_SYNTAX', (error as Error).message))
      return undefined
    }
  }

  /** A diagnostic about the value at a path, or about its key. The nearest place that is there is shown. */
  about(path: Path, part: 'key' | 'value', details: Pick<Diagnostic, 'severity' | 'code' | 'message' | 'suggestion'>): Diagnostic {
    const [offset, length] = this.#place(path, part)
    return { ...this.#at(offset, length, path, details.code, details.message), severity: details.severity, suggestion: details.suggestion }
  }

  /** "edge.yaml:14" */
  lineOf(path: Path): string {
    return `${this.file}:${this.#counter.linePos(this.#place(path, 'key')[0]).line}`
  }

  #place(path: Path, part: 'key' | 'value'): [offset: number, length: number] {
    let node: unknown = this.#document?.contents
    let place: [number, number] = [0, 1]
    for (const [depth, step] of path.entries()) {
      if (isAlias(node)) node = node.resolve(this.#document as Document)
      const isLast = depth === path.length - 1
      if (isMap(node)) {
        const pair = node.items.find((item) => isPair(item) && String(isScalar(item.key) ? item.key.value : item.key) === String(step))
        if (pair === undefined) return place
        place = rangeOf(isLast && part === 'value' && isNode(pair.value) ? pair.value : pair.key) ?? place
        node = pair.value
      } else if (isSeq(node)) {
        node = node.items[Number(step)]
        place = rangeOf(node) ?? place
      } else return place
    }
    return place
  }

  #at(offset: number, length: number, path: Path, code: DiagnosticCode, message: string): Diagnostic {
    const { line, col } = this.#counter.linePos(offset)
    const source = this.#lines[Math.max(0, line - 1)] ?? ''
    return {
      severity: 'error',
      code,
      file: this.file,
      line: Math.max(1, line),
      column: Math.max(1, col),
      length: Math.max(1, length),
      path: formatPath(path),
      message,
      source,
    }
  }
}

/** The extent of a node on its first line: the value of a scalar, the first key of a map. */
function rangeOf(node: unknown): [number, number] | undefined {
  if (!isNode(node)) return undefined
  const range = (node as Node).range
  if (range === null || range === undefined) return undefined
  return isScalar(node) ? [range[0], Math.max(1, range[1] - range[0])] : [range[0], 1]
}

/** "listeners.web.http.routes[2]" */
export function formatPath(path: Path): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${step}`)).join('')
}
