import type { Path } from '../schema/index.ts'
import { type Token, tokensOf } from './code-tokens.ts'
import type { Source, Span } from './source.ts'

/** What is written for a value. `members` and `items` are those of a literal; what a program computes has neither. */
interface Written {
  readonly start: number
  readonly end: number
  readonly members?: ReadonlyMap<string, Member>
  readonly items?: readonly Written[]
}

interface Member {
  readonly key: Token
  readonly value: Written
}

const MAX_DEPTH = 64

/**
 * Where the options of a configuration in TypeScript are written: those in the literal behind `export default` or in a constant that
 * stands in it. For what is computed it is the nearest literal around that computation, or nothing; never another option's place.
 */
export class CodePlaces {
  readonly #source: Source
  readonly #tokens: readonly Token[]
  /** Where the value of each constant of the file begins. */
  readonly #constants = new Map<string, number>()
  /** What was read already, by where it begins. */
  readonly #read = new Map<number, Written | undefined>()
  readonly #root: Written | undefined
  #at = 0
  #depth = 0

  constructor(source: Source) {
    this.#source = source
    this.#tokens = tokensOf(source.text) ?? []
    const start = this.#survey()
    this.#root = start === -1 ? undefined : this.#readAt(start)
  }

  /** The place of the value at a path, or of its key; of the nearest thing around it where there is none. */
  span(path: Path, part: 'key' | 'value'): Span | undefined {
    let place: { readonly start: number; readonly end: number } | undefined = this.#root
    let written = this.#root
    for (const [depth, step] of path.entries()) {
      const member = written?.members?.get(String(step))
      // Where a list may have its single item stand alone, that is its first.
      if (written?.members !== undefined && member === undefined && step === 0) continue
      written = member?.value ?? written?.items?.[Number(step)]
      if (written === undefined) break
      const isLiteral = written.members !== undefined || written.items !== undefined
      const wantsKey = isLiteral || (part === 'key' && depth === path.length - 1)
      place = wantsKey && member !== undefined ? member.key : written
    }
    return place && this.#source.span(place.start, place.end)
  }

  /** Finds the constants, and where the exported configuration begins; -1 where it is no literal. */
  #survey(): number {
    let exported = -1
    let depth = 0
    for (const [index, { kind, text }] of this.#tokens.entries()) {
      if (kind === 'open') depth++
      else if (kind === 'close') depth--
      if (depth !== 0 || kind !== 'word') continue
      if (text === 'const') this.#noteConstant(index + 1)
      else if (text === 'export' && this.#textAt(index + 1) === 'default') exported = index + 2
    }
    while (exported !== -1 && (this.#textAt(exported) === '(' || this.#textAt(exported + 1) === '('))
      exported += this.#textAt(exported) === '(' ? 1 : this.#textAt(exported) === 'defineConfig' ? 2 : this.#tokens.length
    return exported
  }

  /** `const name = …` or `const name: Type = …`. */
  #noteConstant(at: number): void {
    let next = at + 1
    if (this.#textAt(next) === ':')
      while (next < this.#tokens.length && this.#textAt(next) !== '=' && this.#textAt(next) !== 'const') next++
    if (this.#textAt(next) === '=') this.#constants.set(this.#textAt(at), next + 1)
  }

  #readAt(at: number): Written | undefined {
    if (this.#read.has(at)) return this.#read.get(at)
    const back = this.#at
    this.#at = at
    const written = this.#readValue()
    this.#at = back
    this.#read.set(at, written)
    return written
  }

  /** Reads an expression, to the comma or bracket behind it. */
  #readValue(): Written | undefined {
    const first = this.#tokens[this.#at]
    if (first === undefined || this.#depth > MAX_DEPTH) return undefined
    this.#depth++
    const from = this.#at
    const members = first.text === '{' ? this.#readMembers() : undefined
    const items = first.text === '[' ? this.#readItems() : undefined
    const constant = first.kind === 'word' ? this.#constants.get(first.text) : undefined
    if (members === undefined && items === undefined) this.#at = from + (constant === undefined ? 0 : 1)
    const isWhole = this.#isAtEnd()
    const meant = constant !== undefined && isWhole ? this.#readAt(constant) : undefined
    this.#skipExpression()
    this.#depth--
    if (meant !== undefined) return meant
    const end = this.#tokens[Math.max(from, this.#at - 1)].end
    return isWhole ? { start: first.start, end, members, items } : { start: first.start, end }
  }

  /** Nothing but the end of the expression follows: no operator, no call, no member. */
  #isAtEnd(): boolean {
    const next = this.#tokens[this.#at]
    if (next === undefined || next.kind === 'close' || [',', ';', 'as', 'satisfies'].includes(next.text)) return true
    return next.kind === 'word' && this.#source.text.slice(this.#tokens[this.#at - 1].end, next.start).includes('\n')
  }

  #skipExpression(): void {
    for (let depth = 0; this.#at < this.#tokens.length; this.#at++) {
      const { kind, text } = this.#tokens[this.#at]
      if (depth === 0 && (kind === 'close' || text === ',' || text === ';')) return
      depth += kind === 'open' ? 1 : kind === 'close' ? -1 : 0
    }
  }

  #readMembers(): Map<string, Member> | undefined {
    const members = new Map<string, Member>()
    this.#at++
    while (this.#textAt(this.#at) !== '}') {
      const key = this.#tokens[this.#at]
      if (key === undefined) return undefined
      const after = this.#textAt(this.#at + 1)
      if (key.text === '...') {
        // It may bring whatever stands before it again.
        members.clear()
        this.#skipExpression()
      } else if ((key.kind === 'word' || key.kind === 'text') && (after === ':' || after === ',' || after === '}')) {
        this.#at += after === ':' ? 2 : 0
        const value = this.#readValue()
        if (value !== undefined) members.set(nameOf(key), { key, value })
      } else this.#skipExpression()
      if (this.#textAt(this.#at) === ',') this.#at++
      else if (this.#textAt(this.#at) !== '}') return undefined
    }
    this.#at++
    return members
  }

  #readItems(): Written[] | undefined {
    const items: Written[] = []
    let isCounted = true
    this.#at++
    while (this.#textAt(this.#at) !== ']') {
      // Behind a spread nobody knows which one is which.
      if (this.#textAt(this.#at) === '...') isCounted = false
      const item = this.#readValue()
      if (item === undefined) return undefined
      if (isCounted) items.push(item)
      if (this.#textAt(this.#at) === ',') this.#at++
      else if (this.#textAt(this.#at) !== ']') return undefined
    }
    this.#at++
    return items
  }

  #textAt(index: number): string {
    return this.#tokens[index]?.text ?? ''
  }
}

function nameOf({ kind, text }: Token): string {
  return kind === 'text' ? text.slice(1, -1) : text
}
