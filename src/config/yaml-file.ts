import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from 'yaml'
import type { Complaint, Path } from '../schema/index.ts'
import { type Diagnostic, diagnose } from './diagnostic.ts'
import type { Source, Span } from './source.ts'

/** No option is nested deeper than a quarter of this. */
const MAX_DEPTH = 64
/** Values with all aliases expanded (a "billion laughs" has more); 8 MiB of text without aliases have fewer. */
const MAX_VALUES = 2_000_000

/** A file in YAML 1.2 (core schema), or in JSON, which YAML contains. It knows the place of every value. */
export class YamlFile {
  readonly source: Source
  readonly diagnostics: Diagnostic[] = []
  readonly #document: Document.Parsed
  #values = 0
  /** Aliases under expansion, to see a circle. */
  readonly #open = new Set<Node>()

  constructor(source: Source) {
    this.source = source
    this.#document = parseDocument(source.text, {
      prettyErrors: false,
      uniqueKeys: false,
      version: '1.2',
      merge: false,
      logLevel: 'silent',
    })
    if (this.#document.directives?.yaml.version !== '1.2')
      this.#complain({ code: 'CONFIG_SYNTAX', message: 'configurations are YAML 1.2' }, 0, 5)
    for (const problem of [...this.#document.errors, ...this.#document.warnings]) this.#reportSyntax(problem)
  }

  /** The values as plain data, or undefined where the file is not well-formed; `diagnostics` say why. */
  read(): { readonly value: unknown } | undefined {
    if (this.diagnostics.length > 0) return undefined
    const value = this.#value(this.#document.contents, [])
    return this.diagnostics.some(({ code }) => code === 'CONFIG_TOO_LARGE' || code === 'CONFIG_SYNTAX') ? undefined : { value }
  }

  /** The place of the value at a path, or of its key; of the nearest thing around it where there is none. */
  span(path: Path, part: 'key' | 'value'): Span {
    let node: unknown = this.#document.contents
    let place = isNode(node) ? node.range : undefined
    for (const [depth, step] of path.entries()) {
      if (isAlias(node)) node = node.resolve(this.#document)
      const isLast = depth === path.length - 1
      if (isMap(node)) {
        const pair = findPair(node, String(step))
        // Where a list may have its single item stand alone, that is its first.
        if (pair === undefined && step === 0) continue
        if (pair === undefined) break
        const wantsKey = (isLast && part === 'key') || !(isScalar(pair.value) || isAlias(pair.value))
        place = (wantsKey ? pair.key : (pair.value as Node)).range ?? place
        node = pair.value
      } else if (isSeq(node)) {
        const item = node.items[Number(step)]
        if (!isNode(item)) break
        place = item.range ?? place
        node = item
      } else break
    }
    return this.source.span(place?.[0] ?? 0, place?.[1] ?? 0)
  }

  #value(node: unknown, path: Path): unknown {
    if (!isNode(node)) return null
    if (this.#values++ >= MAX_VALUES || path.length > MAX_DEPTH) {
      const message =
        path.length > MAX_DEPTH ? `nested deeper than ${MAX_DEPTH}` : 'the aliases of this file multiply its values without bounds'
      if (!this.diagnostics.some(({ code }) => code === 'CONFIG_TOO_LARGE')) this.#complainAt(node, { code: 'CONFIG_TOO_LARGE', message })
      return null
    }
    if (isAlias(node)) return this.#resolve(node, path)
    if (isScalar(node)) return node.value
    if (isSeq(node)) return node.items.map((item, index) => this.#value(item, [...path, index]))
    return isMap(node) ? this.#map(node, path) : null
  }

  #resolve(node: Node, path: Path): unknown {
    const target = isAlias(node) ? node.resolve(this.#document) : undefined
    if (target === undefined || this.#open.has(target)) {
      const message =
        target === undefined
          ? `there is no anchor before this alias that it could stand for`
          : 'the alias stands for something that it is part of'
      this.#complainAt(node, { code: 'CONFIG_SYNTAX', message })
      return null
    }
    this.#open.add(target)
    const value = this.#value(target, path)
    this.#open.delete(target)
    return value
  }

  /** A map without prototype, so that no key has a meaning of its own. */
  #map(node: YAMLMap, path: Path): Record<string, unknown> {
    const map: Record<string, unknown> = Object.create(null)
    const lines = new Map<string, number>()
    for (const pair of node.items as Pair<Node, Node>[]) {
      const name = keyOf(pair)
      if (name === undefined || name === '__proto__') {
        this.#complainAt(pair.key, {
          code: 'CONFIG_WRONG_TYPE',
          message: name === undefined ? 'a key is text or a number' : '"__proto__" cannot be a key',
        })
        continue
      }
      const first = lines.get(name)
      const line = this.source.span(pair.key.range?.[0] ?? 0, 0).line
      if (first !== undefined) {
        const message = `${JSON.stringify(name)} is given twice`
        this.#complainAt(
          pair.key,
          { code: 'CONFIG_DUPLICATE', message, hint: first === line ? 'both are on this line' : `first on line ${first}` },
          [...path, name],
        )
      }
      lines.set(name, line)
      map[name] = this.#value(pair.value, [...path, name])
    }
    return map
  }

  #reportSyntax({ code, message, pos: [start, end] }: YAMLError): void {
    const isTooDeep = code === 'RESOURCE_EXHAUSTION'
    if (this.diagnostics.length > 0 && (isTooDeep || this.diagnostics[0].code === 'CONFIG_TOO_LARGE')) return
    if (isTooDeep) this.#complain({ code: 'CONFIG_TOO_LARGE', message: `nested deeper than ${MAX_DEPTH}` }, 0, 1)
    else this.#complain({ code: 'CONFIG_SYNTAX', message: explain(code, message), ...this.#hint(start) }, start, end)
  }

  #hint(start: number): { hint?: string } {
    // Inside of { } and [ ] a brace ends plain text.
    if (this.source.text.slice(start - 1, start + 1) !== '${') return {}
    const written = /^\$\{[^}\n]*\}/.exec(this.source.text.slice(start - 1))?.[0]
    return written === undefined ? {} : { hint: `inside of { } and [ ] it needs quotes: "${written}"` }
  }

  #complainAt(node: Node, complaint: Complaint, path: Path = []): void {
    this.#complain(complaint, node.range?.[0] ?? 0, node.range?.[1] ?? 0, path)
  }

  #complain(complaint: Complaint, start: number, end: number, path: Path = []): void {
    this.diagnostics.push(diagnose(complaint, this.source.file, this.source.span(start, end), path))
  }
}

function explain(code: string, message: string): string {
  switch (code) {
    case 'MULTIPLE_DOCS':
      return 'a configuration is one document; "---" begins a second one'
    case 'TAB_AS_INDENT':
      return 'YAML is indented with spaces, not with tabs'
    case 'TAG_RESOLVE_FAILED':
      return message.replace('Unresolved tag:', 'there is no type')
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'a second ": " on one line; quote the text that has it'
    case 'MULTILINE_IMPLICIT_KEY':
      return 'this line is no "key: value"'
    case 'MISSING_CHAR':
    case 'BAD_INDENT':
      return message.replace(/^Flow (?:map|sequence)\b.* end with a (.)$/, 'a "$1" is missing before this')
    case 'UNEXPECTED_TOKEN':
      return message.replace(
        /^Unexpected scalar at node end$/,
        'this belongs to nothing; a list item begins with "- ", an option is "key: value"',
      )
    default:
      return message
  }
}

function findPair(map: YAMLMap, name: string): Pair<Node, unknown> | undefined {
  // Of two equal keys the second is in force, as in the values.
  return (map.items as Pair<Node, unknown>[]).findLast((pair) => keyOf(pair) === name)
}

function keyOf({ key }: Pair<Node, unknown>): string | undefined {
  if (!isScalar(key)) return undefined
  if (typeof key.value === 'string') return key.value
  if (key.value === null || key.value === undefined) return undefined
  return key.source ?? String(key.value)
}
