import { CidrSet, type ClientAddress } from '../core/index.ts'
import {
  ByteRange,
  equalsDecoded,
  equalsIgnoreCase,
  FIELD_NAMES,
  type Fields,
  findCookie,
  METHOD,
  type RequestHead,
} from '../http/index.ts'
import type { FieldMatchPlan, RouteMatchPlan } from './config.ts'
import type { TextReader } from './text-reader.ts'
import type { TlsFact, TlsFacts } from './tls-facts.ts'

const AMPERSAND = 0x26
const EQUALS = 0x3d
const range = new ByteRange()

/** What a route asks of a request besides host and path. Everything must hold. Works on bytes; only regular expressions make text. */
export class Predicates {
  readonly methods: MethodPredicate | null
  readonly clients: CidrSet | null
  readonly headers: readonly HeaderPredicate[]
  readonly cookies: readonly CookiePredicate[]
  readonly query: readonly QueryPredicate[]
  readonly tls: readonly TlsPredicate[]

  private constructor(match: RouteMatchPlan, text: TextReader) {
    this.methods = match.methods.length === 0 ? null : new MethodPredicate(match.methods)
    this.clients = match.clients.length === 0 ? null : new CidrSet(match.clients)
    this.headers = match.headers.map((header) => new HeaderPredicate(header, text))
    this.cookies = match.cookies.map((cookie) => new CookiePredicate(cookie, text))
    this.query = match.query.map((parameter) => new QueryPredicate(parameter, text))
    this.tls = (match.tls ?? []).map((fact) => new TlsPredicate(fact))
  }

  /** The predicates of a route, or null where it has none. */
  static compile(match: RouteMatchPlan, text: TextReader): Predicates | null {
    const count =
      match.methods.length +
      match.clients.length +
      match.headers.length +
      match.cookies.length +
      match.query.length +
      (match.tls?.length ?? 0)
    return count === 0 ? null : new Predicates(match, text)
  }

  hold(memory: Uint8Array, head: RequestHead, client: ClientAddress, tls: TlsFacts): boolean {
    for (let i = 0; i < this.tls.length; i++) if (!this.tls[i].holds(tls)) return false
    if (this.methods !== null && !this.methods.holds(memory, head)) return false
    if (this.clients !== null && !this.clients.contains(client)) return false
    for (let i = 0; i < this.headers.length; i++) if (!this.headers[i].holds(memory, head)) return false
    for (let i = 0; i < this.query.length; i++) if (!this.query[i].holds(memory, head)) return false
    for (let i = 0; i < this.cookies.length; i++) if (!this.cookies[i].holds(memory, head)) return false
    return true
  }
}

/** A list of methods, the well-known ones as bits by METHOD number. */
export class MethodPredicate {
  readonly #known: number
  readonly #others: readonly Uint8Array[]

  constructor(methods: readonly string[]) {
    const numbers: Readonly<Record<string, number | undefined>> = METHOD
    const known = methods.map((method) => (method === 'OTHER' ? undefined : numbers[method]))
    this.#known = known.reduce<number>((bits, number) => (number === undefined ? bits : bits | (1 << number)), 0)
    this.#others = methods.filter((_, i) => known[i] === undefined).map(bytesOf)
  }

  holds(memory: Uint8Array, head: RequestHead): boolean {
    if (head.method !== METHOD.OTHER) return (this.#known & (1 << head.method)) !== 0
    for (let i = 0; i < this.#others.length; i++) if (equals(memory, head.methodStart, head.methodEnd, this.#others[i])) return true
    return false
  }
}

/** A field of the head. Where the field is repeated, one value that matches is enough. */
export class HeaderPredicate {
  readonly #name: Uint8Array
  readonly #id: number
  readonly #value: ValuePredicate

  constructor(plan: FieldMatchPlan, text: TextReader) {
    this.#name = bytesOf(plan.name.toLowerCase())
    this.#id = Math.max(0, FIELD_NAMES.indexOf(plan.name.toLowerCase()))
    this.#value = new ValuePredicate(plan, text)
  }

  holds(memory: Uint8Array, head: RequestHead): boolean {
    const fields = head.fields
    for (let i = fields.find(this.#id); i !== -1; i = fields.find(this.#id, i + 1)) {
      if (this.#id === 0 && !equalsIgnoreCase(memory, fields.offsets[i * 4], fields.offsets[i * 4 + 1], this.#name)) continue
      if (this.#value.isAbsent) return false
      if (this.#value.holds(memory, fields.valueStart(i), fields.valueEnd(i))) return true
    }
    return this.#value.isAbsent
  }
}

/** A cookie; where two have the name, the first counts, as for servers (RFC 6265 §5.4 sends the longest path first). */
export class CookiePredicate {
  readonly #name: Uint8Array
  readonly #value: ValuePredicate

  constructor(plan: FieldMatchPlan, text: TextReader) {
    this.#name = bytesOf(plan.name)
    this.#value = new ValuePredicate(plan, text)
  }

  holds(memory: Uint8Array, head: { readonly fields: Fields }): boolean {
    if (!findCookie(memory, head, this.#name, range)) return this.#value.isAbsent
    return !this.#value.isAbsent && this.#value.holds(memory, range.start, range.end)
  }
}

/** A query parameter, compared decoded. Where it is repeated, one value that matches is enough: servers differ in which they take. */
export class QueryPredicate {
  readonly #name: Uint8Array
  readonly #value: ValuePredicate
  readonly #text: TextReader

  constructor(plan: FieldMatchPlan, text: TextReader) {
    this.#name = bytesOf(plan.name)
    this.#value = new ValuePredicate(plan, text)
    this.#text = text
  }

  holds(memory: Uint8Array, head: RequestHead): boolean {
    let at = head.queryStart
    while (at < head.queryEnd) {
      const start = at
      let nameEnd = -1
      while (at < head.queryEnd && memory[at] !== AMPERSAND) {
        if (nameEnd === -1 && memory[at] === EQUALS) nameEnd = at
        at++
      }
      const end = nameEnd === -1 ? at : nameEnd
      if (end > start && equalsDecoded(memory, start, end, this.#name)) {
        if (this.#value.isAbsent) return false
        if (this.#holdsDecoded(memory, nameEnd === -1 ? at : nameEnd + 1, at)) return true
      }
      at++
    }
    return this.#value.isAbsent
  }

  #holdsDecoded(memory: Uint8Array, start: number, end: number): boolean {
    const value = this.#value
    if (value.regex !== null) return value.regex.test(decode(this.#text.read(memory, start, end)))
    return value.bytes === null || equalsDecoded(memory, start, end, value.bytes)
  }
}

/** One thing that TLS says of the connection. */
export class TlsPredicate {
  readonly #plan: FieldMatchPlan
  readonly #name: TlsFact
  readonly #regex: RegExp | null

  constructor(plan: FieldMatchPlan) {
    this.#plan = plan
    this.#name = plan.name as TlsFact
    this.#regex = plan.kind === 'regex' ? new RegExp(plan.value) : null
  }

  holds(tls: TlsFacts): boolean {
    const value = tls[this.#name]
    if (this.#plan.kind === 'absent') return value === ''
    if (this.#plan.kind === 'present') return value !== ''
    return this.#regex === null ? value === this.#plan.value : this.#regex.test(value)
  }
}

/** A value: present with any content where both `bytes` and `regex` are null. */
class ValuePredicate {
  readonly isAbsent: boolean
  readonly bytes: Uint8Array | null
  readonly regex: RegExp | null
  readonly #text: TextReader

  constructor(plan: FieldMatchPlan, text: TextReader) {
    this.isAbsent = plan.kind === 'absent'
    this.bytes = plan.kind === 'exact' ? bytesOf(plan.value) : null
    this.regex = plan.kind === 'regex' ? new RegExp(plan.value) : null
    this.#text = text
  }

  holds(memory: Uint8Array, start: number, end: number): boolean {
    if (this.regex !== null) return this.regex.test(this.#text.read(memory, start, end))
    return this.bytes === null || equals(memory, start, end, this.bytes)
  }
}

/** Text of application/x-www-form-urlencoded as UTF-8; invalid encoding stands for itself, as in equalsDecoded. */
function decode(text: string): string {
  const bytes = text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

function equals(memory: Uint8Array, start: number, end: number, bytes: Uint8Array): boolean {
  if (end - start !== bytes.length) return false
  for (let i = 0; i < bytes.length; i++) if (memory[start + i] !== bytes[i]) return false
  return true
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'utf8'))
}
