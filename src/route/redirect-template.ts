import { EvenerError } from '../core/index.ts'
import { type RequestHead, writeBytes } from '../http/index.ts'
import type { TemplatePart } from './config.ts'
import { HEX_DIGITS } from './path-bytes.ts'

const SLASH = 0x2f
const QUESTION = 0x3f
/** 1 for what may stand in a URI (RFC 3986 §2): all else is written as "%XX", whoever sent it. */
const URI_BYTE = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]/.test(String.fromCharCode(byte)) ? 1 : 0,
)

/**
 * The Location of a redirect, out of text and parts of the request. Percent-encoding is kept as it came, and whatever cannot stand
 * in a URI is percent-encoded, so that no request can end the field line or begin another. Writes bytes, allocates nothing.
 *
 *   {uri}    path and query as received, "/" for an empty path        {path}   the path alone
 *   {host}   host and port that the request names, or nothing         {query}  the query without "?"
 */
export class RedirectTemplate {
  readonly #parts: readonly TemplatePart[]
  readonly #texts: readonly Uint8Array[]
  readonly #textBytes: number

  /** Throws CONFIG_INVALID for text with a control character. */
  constructor(parts: readonly TemplatePart[]) {
    this.#parts = parts
    this.#texts = parts.map((part) => (part.kind === 'text' ? uriBytes(part.text) : new Uint8Array(0)))
    this.#textBytes = this.#texts.reduce((sum, text) => sum + text.length, 0)
  }

  /** The most bytes that write() can write for that head. */
  room(head: RequestHead): number {
    const variables = this.#parts.length - this.#texts.filter((text) => text.length > 0).length
    return this.#textBytes + variables * (3 * (head.targetEnd - head.targetStart + head.authorityEnd - head.authorityStart) + 2)
  }

  /** Writes the URI (not the field's name, no CRLF) at `at` and returns the end. `source` is what the head points into. */
  write(memory: Uint8Array, at: number, source: Uint8Array, head: RequestHead): number {
    for (let i = 0; i < this.#parts.length; i++) {
      switch (this.#parts[i].kind) {
        case 'text':
          at = writeBytes(memory, at, this.#texts[i])
          break
        case 'host':
          at = writeEncoded(memory, at, source, head.authorityStart, head.authorityEnd)
          break
        case 'query':
          at = writeEncoded(memory, at, source, head.queryStart, head.queryEnd)
          break
        case 'path':
          at = writePath(memory, at, source, head)
          break
        case 'uri':
          at = writePath(memory, at, source, head)
          if (head.hasQuery) {
            memory[at] = QUESTION
            at = writeEncoded(memory, at + 1, source, head.queryStart, head.queryEnd)
          }
      }
    }
    return at
  }
}

function writePath(memory: Uint8Array, at: number, source: Uint8Array, head: RequestHead): number {
  if (head.pathStart < head.pathEnd) return writeEncoded(memory, at, source, head.pathStart, head.pathEnd)
  memory[at] = SLASH
  return at + 1
}

function writeEncoded(memory: Uint8Array, at: number, source: Uint8Array, start: number, end: number): number {
  for (let from = start; from < end; from++) {
    const byte = source[from]
    if (URI_BYTE[byte] === 1) memory[at++] = byte
    else {
      memory[at] = 0x25
      memory[at + 1] = HEX_DIGITS[byte >>> 4]
      memory[at + 2] = HEX_DIGITS[byte & 15]
      at += 3
    }
  }
  return at
}

function uriBytes(text: string): Uint8Array {
  if (/[\x00-\x1f\x7f]/.test(text)) throw new EvenerError('CONFIG_INVALID', `redirect: ${JSON.stringify(text)} has a control character`)
  const bytes = Buffer.from(text)
  const encoded = new Uint8Array(bytes.length * 3)
  return encoded.slice(0, writeEncoded(encoded, 0, bytes, 0, bytes.length))
}
