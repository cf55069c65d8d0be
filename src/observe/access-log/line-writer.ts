import type { AccessLogFormat, LogTemplatePart } from '../config.ts'
import { ACCESS_LOG_VARIABLES, type AccessLogVariable, type LogRecord } from './record.ts'

/** The longest line; what goes beyond is cut, and the line ended. */
export const MAX_LINE_BYTES = 16 * 1024

const LF = 0x0a
const HYPHEN = 0x2d
const BACKSLASH = 0x5c
const HEX = Buffer.from('0123456789abcdef')
/** Bytes that stand for themselves in JSON and in templates alike: no control characters, quote, backslash, nor anything above ASCII. */
const PLAIN = new Uint8Array(256)
for (let byte = 0x20; byte < 0x7f; byte++) PLAIN[byte] = byte === 0x22 || byte === BACKSLASH ? 0 : 1

type Part = { readonly kind: 'text'; readonly bytes: Uint8Array } | { readonly kind: 'variable'; readonly name: AccessLogVariable }

const COMBINED: readonly LogTemplatePart[] = parts(
  '{client} - - [{time}] "{method} {uri} HTTP/{version}" {status} {bytesOut} "{referer}" "{userAgent}"',
)
const JSON_NUMBERS: ReadonlySet<string> = new Set(['status', 'bytesIn', 'bytesOut', 'duration', 'attempts'])
const JSON_FORMAT: readonly LogTemplatePart[] = jsonParts()

/**
 * Writes the line of an exchange as bytes, without making strings. Whatever a client sent is escaped: control characters, quotes,
 * backslashes and bytes above ASCII are written as \u00XX in JSON and \xXX elsewhere, so that no client can forge a
 * line or a field.
 */
export class LineWriter {
  readonly #parts: readonly Part[]
  readonly #isJson: boolean
  readonly #isCombined: boolean
  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0
  #end = 0
  #second = -1
  #date: Uint8Array = new Uint8Array(0)

  constructor(format: AccessLogFormat) {
    this.#isJson = format.kind === 'json'
    this.#isCombined = format.kind === 'combined'
    const template = format.kind === 'json' ? JSON_FORMAT : format.kind === 'combined' ? COMBINED : format.parts
    this.#parts = template.map((part) =>
      part.kind === 'text'
        ? { kind: 'text', bytes: new Uint8Array(Buffer.from(part.text)) }
        : { kind: 'variable', name: part.name as AccessLogVariable },
    )
  }

  /** Writes at `at` and returns the end; `bytes` has MAX_LINE_BYTES of room from there. `memory` is what the record's ranges are in. */
  write(bytes: Uint8Array, at: number, memory: Uint8Array, record: LogRecord): number {
    this.#bytes = bytes
    this.#at = at
    this.#end = at + MAX_LINE_BYTES - 1
    for (const part of this.#parts) {
      if (part.kind === 'text') this.#literal(part.bytes)
      else this.#variable(part.name, memory, record)
    }
    bytes[this.#at++] = LF
    return this.#at
  }

  #variable(name: AccessLogVariable, memory: Uint8Array, record: LogRecord): void {
    switch (name) {
      case 'time':
        return this.#time(record.timeMs)
      case 'client':
        return this.#literal(record.client)
      case 'method':
        return this.#range(memory, record.methodStart, record.methodEnd)
      case 'uri':
        return this.#range(memory, record.uriStart, record.uriEnd)
      case 'host':
        return this.#range(memory, record.hostStart, record.hostEnd)
      case 'userAgent':
        return this.#range(memory, record.userAgentStart, record.userAgentEnd)
      case 'referer':
        return this.#range(memory, record.refererStart, record.refererEnd)
      case 'version':
        return this.#text(record.minorVersion === 0 ? '1.0' : '1.1')
      case 'firstByte':
        return record.firstByteMs < 0 ? this.#absent() : this.#decimal(record.firstByteMs)
      case 'duration':
        return this.#decimal(record.durationMs)
      case 'status':
      case 'bytesIn':
      case 'bytesOut':
      case 'attempts':
        return this.#decimal(record[name])
      default:
        return this.#text(record[name])
    }
  }

  #literal(bytes: Uint8Array): void {
    const length = Math.min(bytes.length, this.#end - this.#at)
    for (let i = 0; i < length; i++) this.#bytes[this.#at++] = bytes[i]
  }

  /** Names out of the configuration, which may be anything, and constants. */
  #text(text: string): void {
    if (text === '') return this.#absent()
    for (let i = 0; i < text.length; i++) this.#byte(Math.min(text.charCodeAt(i), 0xff))
  }

  #range(memory: Uint8Array, start: number, end: number): void {
    if (start === end) return this.#absent()
    for (let i = start; i < end; i++) this.#byte(memory[i])
  }

  #absent(): void {
    if (this.#at < this.#end) this.#bytes[this.#at++] = HYPHEN
  }

  #byte(byte: number): void {
    if (PLAIN[byte] === 1) {
      if (this.#at < this.#end) this.#bytes[this.#at++] = byte
      return
    }
    // An escape is written whole or not at all.
    if (this.#at + 6 > this.#end) {
      this.#end = this.#at
      return
    }
    this.#bytes[this.#at++] = BACKSLASH
    if (this.#isJson) {
      this.#bytes[this.#at++] = 0x75
      this.#bytes[this.#at++] = 0x30
      this.#bytes[this.#at++] = 0x30
    } else this.#bytes[this.#at++] = 0x78
    this.#bytes[this.#at++] = HEX[byte >> 4]
    this.#bytes[this.#at++] = HEX[byte & 15]
  }

  #decimal(value: number): void {
    if (this.#end - this.#at < 20) return
    let digits = 1
    for (let bound = 10; bound <= value; bound *= 10) digits++
    let rest = Math.floor(value)
    for (let position = this.#at + digits - 1; position >= this.#at; position--) {
      const next = Math.floor(rest / 10)
      this.#bytes[position] = 0x30 + rest - next * 10
      rest = next
    }
    this.#at += digits
  }

  /** The date and time to the second are made once a second. */
  #time(timeMs: number): void {
    const second = Math.floor(timeMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#date = new Uint8Array(Buffer.from(this.#isCombined ? commonTime(second) : new Date(second * 1000).toISOString().slice(0, 19)))
    }
    this.#literal(this.#date)
    if (this.#isCombined || this.#end - this.#at < 5) return
    const millisecond = Math.floor(timeMs) - second * 1000
    this.#bytes[this.#at++] = 0x2e
    this.#bytes[this.#at++] = 0x30 + Math.floor(millisecond / 100)
    this.#bytes[this.#at++] = 0x30 + (Math.floor(millisecond / 10) % 10)
    this.#bytes[this.#at++] = 0x30 + (millisecond % 10)
    this.#bytes[this.#at++] = 0x5a
  }
}

/** "10/Oct/2026:13:55:36 +0000", as the combined format writes it. */
function commonTime(second: number): string {
  const [, day, month, year, time] = new Date(second * 1000).toUTCString().split(' ')
  return `${day}/${month}/${year}:${time} +0000`
}

function jsonParts(): readonly LogTemplatePart[] {
  const fields = Object.keys(ACCESS_LOG_VARIABLES).map((name) => (JSON_NUMBERS.has(name) ? `"${name}":{${name}}` : `"${name}":"{${name}}"`))
  return parts(`\u0001${fields.join(',')}\u0002`).map((part) =>
    part.kind === 'text' ? { ...part, text: part.text.replace('\u0001', '{').replace('\u0002', '}') } : part,
  )
}

/** Takes a template apart: "{name}" for a known name is a variable, all else is text. */
function parts(template: string): readonly LogTemplatePart[] {
  return template
    .split(/(\{\w+\})/)
    .filter((piece) => piece !== '')
    .map((piece): LogTemplatePart => {
      const name = /^\{(\w+)\}$/.exec(piece)?.[1]
      return name !== undefined && name in ACCESS_LOG_VARIABLES ? { kind: 'variable', name } : { kind: 'text', text: piece }
    })
}
