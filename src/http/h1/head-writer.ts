import { BYTE } from '../characters.ts'
import { isConnectionOption } from '../connection-options.ts'
import { FIELD, type Fields } from '../fields.ts'
import { METHOD, type RequestHead, type ResponseHead, TARGET } from '../message.ts'

const { ASTERISK, COLON, CR, LF, SLASH, SPACE } = BYTE
const { ABSOLUTE } = TARGET

const ONE = 0x31
/** " HTTP/1.1" CRLF */
const VERSION_BYTES = 11
/** "HTTP/1.1 200 " */
const STATUS_LINE_BYTES = 13

/** Runs of at least so many bytes are copied by the runtime, shorter ones in a loop; bench/http-codec.ts has the break-even. */
const COPY_WITHIN_FROM = 24

export interface WritableHead {
  readonly fields: Fields
  readonly hasConnectionOptions: boolean
}

/** Copies memory[start, end) to `at`, which must not lie inside the source, and returns the end. */
export function writeRange(memory: Uint8Array, at: number, start: number, end: number): number {
  const length = end - start
  if (length >= COPY_WITHIN_FROM) memory.copyWithin(at, start, end)
  else for (let i = 0; i < length; i++) memory[at + i] = memory[start + i]
  return at + length
}

/** Writes `bytes` at `at` and returns the end. */
export function writeBytes(memory: Uint8Array, at: number, bytes: Uint8Array): number {
  const length = bytes.length
  if (length >= COPY_WITHIN_FROM) memory.set(bytes, at)
  else for (let i = 0; i < length; i++) memory[at + i] = bytes[i]
  return at + length
}

export function writeCrlf(memory: Uint8Array, at: number): number {
  memory[at] = CR
  memory[at + 1] = LF
  return at + 2
}

/**
 * Writes the fields of `head` at `at` as "name: value" CRLF, names in the case they came in, without those whose FIELD number is
 * flagged in `drop` (256 flags; drop[FIELD.OTHER] must be 0) and those that a Connection option names. Returns the end.
 * Writes at most (headEnd - headStart + 2 * fields.count) bytes; does not write the empty line.
 * Neighbours that are in this form already are copied as one run.
 */
export function writeFields(memory: Uint8Array, at: number, head: WritableHead, drop: Uint8Array): number {
  return copyFields(memory, at, head, drop, -1, -1)
}

/** writeRequestLine and writeFields in one, which saves a copy. */
export function writeRequestHead(memory: Uint8Array, at: number, head: RequestHead, drop: Uint8Array): number {
  if (head.targetForm === ABSOLUTE) return writeFields(memory, writeRequestLine(memory, at, head), head, drop)
  const lineEnd = head.targetEnd + VERSION_BYTES
  const end = copyFields(memory, at, head, drop, head.methodStart, lineEnd)
  memory[at + lineEnd - head.methodStart - 3] = ONE
  return end
}

/** writeStatusLine and writeFields in one, which saves a copy. */
export function writeResponseHead(memory: Uint8Array, at: number, head: ResponseHead, drop: Uint8Array): number {
  const lineStart = head.headStart
  if (head.reasonStart < lineStart + STATUS_LINE_BYTES) return writeFields(memory, writeStatusLine(memory, at, head), head, drop)
  const end = copyFields(memory, at, head, drop, lineStart, head.reasonEnd + 2)
  memory[at + 7] = ONE
  return end
}

/** writeFields, with a run of canonical bytes in front that may go on with the first field. */
function copyFields(
  memory: Uint8Array,
  start: number,
  head: WritableHead,
  drop: Uint8Array,
  firstRunStart: number,
  firstRunEnd: number,
): number {
  const fields = head.fields
  const offsets = fields.offsets
  const hasOptions = head.hasConnectionOptions
  let at = start
  let runStart = firstRunStart
  let runEnd = firstRunEnd
  for (let i = 0, slot = 0; i < fields.count; i++, slot += 4) {
    const nameStart = offsets[slot]
    const nameEnd = offsets[slot + 1]
    if (drop[fields.ids[i]] === 1 || (hasOptions && isConnectionOption(memory, head, nameStart, nameEnd))) continue
    const valueStart = offsets[slot + 2]
    const valueEnd = offsets[slot + 3]
    const isCanonical = valueStart === nameEnd + 2 && memory[nameEnd + 1] === SPACE && memory[valueEnd] === CR
    if (isCanonical && nameStart === runEnd) {
      runEnd = valueEnd + 2
      continue
    }
    if (runEnd !== -1) at = writeRange(memory, at, runStart, runEnd)
    if (isCanonical) {
      runStart = nameStart
      runEnd = valueEnd + 2
    } else {
      at = writeFieldLine(memory, at, nameStart, nameEnd, valueStart, valueEnd)
      runEnd = -1
    }
  }
  return runEnd === -1 ? at : writeRange(memory, at, runStart, runEnd)
}

/** One field line out of ranges of memory. */
export function writeFieldLine(
  memory: Uint8Array,
  at: number,
  nameStart: number,
  nameEnd: number,
  valueStart: number,
  valueEnd: number,
): number {
  at = writeRange(memory, at, nameStart, nameEnd)
  memory[at] = COLON
  memory[at + 1] = SPACE
  return writeCrlf(memory, writeRange(memory, at + 2, valueStart, valueEnd))
}

/**
 * The target in the form for an origin server (RFC 9112 §3.2.1, §3.2.4): path and query, "/" for an empty path, "*" for OPTIONS
 * with neither path nor query. `isOptions` says whether the method is OPTIONS. authority-form is written as it is.
 */
export function writeTarget(memory: Uint8Array, at: number, head: RequestHead, isOptions: boolean): number {
  if (head.targetForm !== ABSOLUTE) return writeRange(memory, at, head.targetStart, head.targetEnd)
  if (head.pathStart === head.pathEnd) {
    memory[at++] = isOptions && !head.hasQuery ? ASTERISK : SLASH
  }
  return writeRange(memory, at, head.pathStart, head.queryEnd)
}

/**
 * The request line as an HTTP/1.1 client of an origin server writes it: method, writeTarget, "HTTP/1.1". At most one byte longer
 * than the one that was received.
 */
export function writeRequestLine(memory: Uint8Array, at: number, head: RequestHead): number {
  let end: number
  if (head.targetForm === ABSOLUTE) {
    end = writeRange(memory, at, head.methodStart, head.methodEnd + 1)
    end = writeTarget(memory, end, head, head.method === METHOD.OPTIONS)
    end = writeRange(memory, end, head.targetEnd, head.targetEnd + VERSION_BYTES)
  } else end = writeRange(memory, at, head.methodStart, head.targetEnd + VERSION_BYTES)
  memory[end - 3] = ONE
  return end
}

/** The status line as HTTP/1.1, with the reason as it came. At most one byte longer than the one that was received. */
export function writeStatusLine(memory: Uint8Array, at: number, head: ResponseHead): number {
  const statusEnd = head.headStart + STATUS_LINE_BYTES - 1
  let end: number
  if (head.reasonStart > statusEnd) end = writeRange(memory, at, head.headStart, head.reasonEnd + 2)
  else {
    end = writeRange(memory, at, head.headStart, statusEnd)
    memory[end] = SPACE
    end = writeCrlf(memory, end + 1)
  }
  memory[at + 7] = ONE
  return end
}

/** Whether the Host field must be written anew from the head's authority: RFC 9112 §3.2.2, or because it is missing. */
export function mustRewriteHost(head: RequestHead): boolean {
  return head.targetForm === ABSOLUTE || head.fields.find(FIELD.HOST) === -1
}
