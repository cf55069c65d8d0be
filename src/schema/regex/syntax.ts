/** A set of the 256 characters of latin1, one bit each. Paths and fields are matched as latin1, so there are no others. */
export type CharacterSet = bigint

export type RegexNode =
  | { readonly kind: 'set'; readonly set: CharacterSet }
  | { readonly kind: 'sequence'; readonly nodes: readonly RegexNode[] }
  | { readonly kind: 'choice'; readonly nodes: readonly RegexNode[] }
  /** `max` is Infinity for *, + and {n,}. */
  | { readonly kind: 'repeat'; readonly node: RegexNode; readonly min: number; readonly max: number }

const ALL: CharacterSet = (1n << 256n) - 1n
const EMPTY: RegexNode = { kind: 'sequence', nodes: [] }
const DIGITS = between(0x30, 0x39)
const WORD = DIGITS | between(0x41, 0x5a) | between(0x61, 0x7a) | single(0x5f)
const SPACE = between(0x09, 0x0d) | single(0x20) | single(0xa0)
const LINE_ENDS = single(0x0a) | single(0x0d)
const CLASSES: Readonly<Record<string, CharacterSet>> = {
  d: DIGITS,
  D: ALL & ~DIGITS,
  w: WORD,
  W: ALL & ~WORD,
  s: SPACE,
  S: ALL & ~SPACE,
}
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, '0': 0 }

/**
 * What a regular expression of JavaScript (without flags) consists of, as far as backtracking goes: the expression itself first,
 * then each lookaround's body. Anchors, boundaries and back references count as empty. `source` must compile.
 */
export function parseRegex(source: string): readonly RegexNode[] {
  const parser = new RegexParser(source)
  return [parser.choice(), ...parser.lookarounds]
}

class RegexParser {
  readonly lookarounds: RegexNode[] = []
  readonly #source: string
  #at = 0

  constructor(source: string) {
    this.#source = source
  }

  choice(): RegexNode {
    const nodes = [this.#sequence()]
    while (this.#take('|')) nodes.push(this.#sequence())
    return nodes.length === 1 ? nodes[0] : { kind: 'choice', nodes }
  }

  #sequence(): RegexNode {
    const nodes: RegexNode[] = []
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at])) nodes.push(this.#quantified(this.#atom()))
    return nodes.length === 1 ? nodes[0] : { kind: 'sequence', nodes }
  }

  #quantified(node: RegexNode): RegexNode {
    const [text, min, comma, max] = this.#match(/[*+?]|\{(\d+)(,?)(\d*)\}/y) ?? []
    if (text === undefined) return node
    this.#take('?')
    if (text === '*') return { kind: 'repeat', node, min: 0, max: Number.POSITIVE_INFINITY }
    if (text === '+') return { kind: 'repeat', node, min: 1, max: Number.POSITIVE_INFINITY }
    if (text === '?') return { kind: 'repeat', node, min: 0, max: 1 }
    const most = comma === '' ? Number(min) : max === '' ? Number.POSITIVE_INFINITY : Number(max)
    return { kind: 'repeat', node, min: Number(min), max: most }
  }

  #atom(): RegexNode {
    if (this.#take('(')) return this.#group()
    const character = this.#source[this.#at++]
    if (character === '^' || character === '$') return EMPTY
    if (character === '.') return { kind: 'set', set: ALL & ~LINE_ENDS }
    if (character === '[') return { kind: 'set', set: this.#class() }
    if (character === '\\') return this.#escape()
    return { kind: 'set', set: single(character.charCodeAt(0)) }
  }

  #group(): RegexNode {
    const isLookaround = this.#match(/\?<?[=!]/y) !== undefined
    if (!isLookaround) this.#match(/\?<[^>]*>|\?[a-z-]*:/y)
    const body = this.choice()
    this.#take(')')
    if (!isLookaround) return body
    this.lookarounds.push(body)
    return EMPTY
  }

  #escape(): RegexNode {
    if (this.#match(/[bB]|k<[^>]*>|[1-9]\d*/y) !== undefined) return EMPTY
    return { kind: 'set', set: this.#escaped() }
  }

  /** The set of what follows a backslash, inside of a class and outside. */
  #escaped(): CharacterSet {
    const code = this.#match(/x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|c([A-Za-z])/y)
    if (code !== undefined) return single(code[3] === undefined ? Number.parseInt(code[1] ?? code[2], 16) : code[3].charCodeAt(0) & 31)
    const character = this.#source[this.#at++]
    return CLASSES[character] ?? single(CONTROLS[character] ?? character.charCodeAt(0))
  }

  #class(): CharacterSet {
    const isNegated = this.#take('^')
    let set = 0n
    while (!this.#take(']')) {
      const low = this.#member()
      if (this.#match(/-(?!\])/y) === undefined) set |= low
      else {
        const high = this.#member()
        const isRange = isSingle(low) && isSingle(high)
        set |= isRange ? between(indexOf(low), indexOf(high)) : low | high | single(0x2d)
      }
    }
    return isNegated ? ALL & ~set : set
  }

  #member(): CharacterSet {
    const character = this.#source[this.#at++]
    if (character !== '\\') return single(character.charCodeAt(0))
    if (this.#take('b')) return single(8)
    return this.#escaped()
  }

  #take(character: string): boolean {
    if (this.#source[this.#at] !== character) return false
    this.#at++
    return true
  }

  #match(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.#at
    const match = sticky.exec(this.#source)
    if (match === null) return undefined
    this.#at = sticky.lastIndex
    return match
  }
}

function single(code: number): CharacterSet {
  return code > 255 ? 0n : 1n << BigInt(code)
}

function between(low: number, high: number): CharacterSet {
  let set = 0n
  for (let code = low; code <= Math.min(high, 255); code++) set |= single(code)
  return set
}

function isSingle(set: CharacterSet): boolean {
  return set !== 0n && (set & (set - 1n)) === 0n
}

function indexOf(set: CharacterSet): number {
  return set.toString(2).length - 1
}
