import { BYTE, TOKEN } from '../characters.ts'
import { METHOD, type RequestHead, TARGET } from '../message.ts'
import { parseMethod } from './method.ts'
import { REJECT } from './reject.ts'
import { parseOriginForm, parseOtherForm } from './target.ts'
import { majorVersion, minorVersion, parseVersion } from './version.ts'

const { CR, HTAB, LF, SLASH, SPACE } = BYTE

/**
 * Reads method SP request-target SP HTTP-version CRLF (RFC 9112 §3) with one empty line before it at most, and fills in the
 * head's method, target and version. Returns the offset behind the line, 0 where more bytes are needed, or -REJECT.*.
 */
export function parseRequestLine(memory: Uint8Array, start: number, end: number, head: RequestHead): number {
  if (start === end) return 0
  let methodStart = start
  if (memory[start] === CR || memory[start] === LF) {
    methodStart = skipEmptyLine(memory, start, end)
    if (methodStart <= 0) return methodStart
  }
  let at = methodStart
  while (at < end && TOKEN[memory[at]] !== 0) at++
  if (at === end) return 0
  if (memory[at] !== SPACE || at === methodStart) return refuseMethod(memory, methodStart, at, end)
  head.headStart = methodStart
  head.methodStart = methodStart
  head.methodEnd = at
  head.method = parseMethod(memory, methodStart, at)
  if (head.method < 0) return head.method

  const targetStart = at + 1
  if (targetStart === end) return 0
  const isOrigin = memory[targetStart] === SLASH
  const targetEnd = isOrigin ? parseOriginForm(memory, targetStart, end, head) : parseOtherForm(memory, targetStart, end, head)
  if (targetEnd <= 0) return targetEnd
  head.targetStart = targetStart
  head.targetEnd = targetEnd
  return parseEnd(memory, targetEnd + 1, end, head)
}

function parseEnd(memory: Uint8Array, versionStart: number, end: number, head: RequestHead): number {
  const versionEnd = parseVersion(memory, versionStart, end)
  if (versionEnd <= 0) return versionEnd === 0 || memory[versionStart] !== SPACE ? versionEnd : -REJECT.REQUEST_LINE_SPACE
  if (versionEnd === end) return 0
  const byte = memory[versionEnd]
  if (byte === SPACE || byte === HTAB) return -REJECT.REQUEST_LINE_SPACE
  if (byte === LF) return -REJECT.BARE_LF
  if (byte !== CR) return -REJECT.VERSION_INVALID
  if (versionEnd + 1 === end) return 0
  if (memory[versionEnd + 1] !== LF) return -REJECT.BARE_CR
  if (majorVersion(memory, versionStart) !== 1) return isPreface(memory, head) ? -REJECT.HTTP2_PREFACE : -REJECT.VERSION_UNSUPPORTED
  head.minorVersion = minorVersion(memory, versionStart)
  if (head.method === METHOD.CONNECT) {
    if (head.targetForm !== TARGET.AUTHORITY) return -REJECT.TARGET_FORM
  } else if (head.targetForm === TARGET.ASTERISK && head.method !== METHOD.OPTIONS) return -REJECT.TARGET_FORM
  return versionEnd + 2
}

/** RFC 9112 §2.2: one empty line before the request line is ignored. */
function skipEmptyLine(memory: Uint8Array, start: number, end: number): number {
  if (memory[start] === LF) return -REJECT.BARE_LF
  if (start + 1 === end) return 0
  if (memory[start + 1] !== LF) return -REJECT.BARE_CR
  if (start + 2 === end) return 0
  const next = memory[start + 2]
  return next === CR || next === LF ? -REJECT.EMPTY_LINES : start + 2
}

function refuseMethod(memory: Uint8Array, methodStart: number, at: number, end: number): number {
  const byte = memory[at]
  if (at === methodStart && byte === 0x16) return -REJECT.TLS_HANDSHAKE
  if (at === methodStart && (byte === SPACE || byte === HTAB)) return -REJECT.LEADING_SPACE
  if (byte === HTAB) return -REJECT.REQUEST_LINE_SPACE
  if (byte === LF) return -REJECT.BARE_LF
  if (byte !== CR) return -REJECT.METHOD_INVALID
  if (at + 1 === end) return 0
  return memory[at + 1] === LF ? -REJECT.VERSION_MISSING : -REJECT.BARE_CR
}

/** RFC 9113 §3.4: the connection preface begins with "PRI * HTTP/2.0". */
function isPreface(memory: Uint8Array, head: RequestHead): boolean {
  const at = head.methodStart
  return head.methodEnd - at === 3 && memory[at] === 0x50 && memory[at + 1] === 0x52 && memory[at + 2] === 0x49
}
