import { EvenerError } from '../core/index.ts'
import { equalsButForMarks, FIELD, FIELD_NAMES, type Fields } from '../http/index.ts'
import type { HeaderEditPlan, HeaderLine } from './config.ts'

/** The number that mark() gives to fields which are dropped though their name is not a well-known one. */
export const FIELD_DROPPED = 255

/** Fields that frame the message or belong to one connection: the proxy alone decides about them. */
const FRAMING = ['connection', 'content-length', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']

const COLON = 0x3a
const LF = 0x0a

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * What a route changes in a head, compiled to what a head writer needs: flags of the fields to leave out and bytes to append.
 *
 *     edit.mark(memory, head.fields)            only fields with other than well-known names need it; idempotent
 *     writeFields(memory, at, head, edit.dropped)
 *     writeBytes(memory, at, edit.lines)
 */
export class HeaderEdit {
  /** 256 flags by FIELD number, those handed to compileHeaderEdit included; FIELD_DROPPED is always flagged. Not to be changed. */
  readonly dropped: Uint8Array
  /** "Name: value" CRLF for each field that is set or added. */
  readonly lines: Uint8Array
  /** Room that `lines` needs. */
  readonly addedBytes: number
  readonly #names: readonly Uint8Array[]

  constructor(dropped: Uint8Array, names: readonly Uint8Array[], lines: Uint8Array) {
    this.dropped = dropped
    this.#names = names
    this.lines = lines
    this.addedBytes = lines.length
  }

  /** Renumbers fields that the edit drops by a name that is not well known, so that `dropped` covers them. */
  mark(memory: Uint8Array, fields: Fields): void {
    if (this.#names.length === 0) return
    for (let i = fields.find(FIELD.OTHER); i !== -1; i = fields.find(FIELD.OTHER, i + 1)) {
      if (this.#drops(memory, fields.offsets[i * 4], fields.offsets[i * 4 + 1])) fields.ids[i] = FIELD_DROPPED
    }
  }

  #drops(memory: Uint8Array, start: number, end: number): boolean {
    for (let i = 0; i < this.#names.length; i++) if (equalsButForMarks(memory, start, end, this.#names[i])) return true
    return false
  }

  /** The lines of a trailer section without those of fields that the edit drops: a server may merge them into the head. */
  keepTrailers(lines: Uint8Array): Uint8Array {
    if (lines.length === 0 || this.#names.length === 0) return lines
    const kept: Uint8Array[] = []
    for (let start = 0, end = 0; start < lines.length; start = end) {
      end = lines.indexOf(LF, start) + 1
      if (!this.#drops(lines, start, lines.indexOf(COLON, start))) kept.push(lines.subarray(start, end))
    }
    return new Uint8Array(Buffer.concat(kept))
  }
}

/**
 * Compiles an edit on top of the fields that are dropped anyway (flags by FIELD number). A field that is removed or set loses all
 * values that came, under names too that differ from its own by a mark only ("X_User" for "X-User"); then what is set and added is appended. Throws CONFIG_INVALID for a name or value that would break the
 * message: framing and hop-by-hop fields, a Host that is missing or twice there, CR, LF or NUL.
 */
export function compileHeaderEdit(plan: HeaderEditPlan, alwaysDropped: Uint8Array): HeaderEdit {
  for (const name of plan.remove) check(name, name.toLowerCase() === 'host' ? 'a request must have a Host' : undefined)
  for (const line of plan.set) check(line.name, undefined, line.value)
  for (const line of plan.add)
    check(line.name, line.name.toLowerCase() === 'host' ? 'a request has one Host; set it instead' : undefined, line.value)
  const dropped = Uint8Array.from(alwaysDropped)
  dropped[FIELD_DROPPED] = 1
  const names: Uint8Array[] = []
  for (const name of new Set([...plan.remove, ...plan.set.map((line) => line.name)].map((each) => each.toLowerCase()))) {
    const id = FIELD_NAMES.indexOf(name)
    if (id > 0) dropped[id] = 1
    else names.push(new Uint8Array(Buffer.from(name, 'latin1')))
  }
  return new HeaderEdit(dropped, names, linesOf([...plan.set, ...plan.add]))
}

function linesOf(lines: readonly HeaderLine[]): Uint8Array {
  return new Uint8Array(Buffer.from(lines.map((line) => `${line.name}: ${line.value.trim()}\r\n`).join(''), 'utf8'))
}

function check(name: string, objection: string | undefined, value = ''): void {
  if (!TOKEN.test(name)) throw invalid(name, 'it is not a field name')
  if (FRAMING.includes(name.toLowerCase()))
    throw invalid(name, 'it frames the message or belongs to one connection, so it cannot be changed')
  if (objection !== undefined) throw invalid(name, objection)
  // RFC 9110 §5.5: control characters other than HTAB are invalid or dangerous.
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) throw invalid(name, 'its value has a control character')
}

function invalid(name: string, why: string): EvenerError {
  return new EvenerError('CONFIG_INVALID', `field "${name}": ${why}`)
}
