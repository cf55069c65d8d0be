import { parseAuthority } from '../authority.ts'
import { BYTE, HEX, PATH, QUERY, TARGET_BYTE } from '../characters.ts'
import { equalsIgnoreCase } from '../field-names.ts'
import { METHOD, type RequestHead, TARGET } from '../message.ts'
import { REJECT } from './reject.ts'

const HTTP_SCHEME = Uint8Array.from('http://', (character) => character.charCodeAt(0))
const HTTPS_SCHEME = Uint8Array.from('https://', (character) => character.charCodeAt(0))

/** Origin-form (RFC 9112 §3.2.1). Returns the offset of the space behind the target, 0 where more bytes are needed, or -REJECT.*. */
export function parseOriginForm(memory: Uint8Array, start: number, end: number, head: RequestHead): number {
  head.targetForm = TARGET.ORIGIN
  head.isHttpsTarget = false
  head.authorityStart = head.authorityEnd = head.hostStart = head.hostEnd = start
  return parsePathAndQuery(memory, start, end, head)
}

/**
 * The other three forms (RFC 9112 §3.2.2 to §3.2.4). They are looked at once their end is there. Whether the form suits the
 * method is for the caller, except that only CONNECT has authority-form.
 */
export function parseOtherForm(memory: Uint8Array, start: number, end: number, head: RequestHead): number {
  let targetEnd = start
  while (targetEnd < end && QUERY[memory[targetEnd]] === TARGET_BYTE.PLAIN) targetEnd++
  if (targetEnd === end) return 0
  if (memory[targetEnd] !== BYTE.SPACE) return refuseTargetByte(memory, targetEnd, end)
  if (targetEnd === start) return -REJECT.REQUEST_LINE_SPACE
  head.authorityStart = head.authorityEnd = head.hostStart = head.hostEnd = start
  head.pathStart = head.pathEnd = head.queryStart = head.queryEnd = targetEnd
  head.hasQuery = false
  head.isHttpsTarget = false
  if (memory[start] === BYTE.ASTERISK && targetEnd === start + 1) {
    head.targetForm = TARGET.ASTERISK
    return targetEnd
  }
  if (head.method === METHOD.CONNECT) return parseAuthorityForm(memory, start, targetEnd, head)
  return parseAbsoluteForm(memory, start, targetEnd, head)
}

function parseAbsoluteForm(memory: Uint8Array, start: number, targetEnd: number, head: RequestHead): number {
  const authorityStart = endOfScheme(memory, start, targetEnd)
  if (authorityStart < 0) return authorityStart
  let authorityEnd = authorityStart
  while (authorityEnd < targetEnd && memory[authorityEnd] !== BYTE.SLASH && memory[authorityEnd] !== BYTE.QUESTION) authorityEnd++
  head.targetForm = TARGET.ABSOLUTE
  head.isHttpsTarget = authorityStart - start === HTTPS_SCHEME.length
  if (!setAuthority(memory, authorityStart, authorityEnd, head)) return -REJECT.AUTHORITY_INVALID
  return parsePathAndQuery(memory, authorityEnd, targetEnd + 1, head)
}

/** RFC 9112 §3.2.3: host and port, of which RFC 9110 §9.3.6 demands both. */
function parseAuthorityForm(memory: Uint8Array, start: number, targetEnd: number, head: RequestHead): number {
  head.targetForm = TARGET.AUTHORITY
  if (!setAuthority(memory, start, targetEnd, head) || head.authorityEnd === head.hostEnd) return -REJECT.AUTHORITY_INVALID
  return targetEnd
}

/** Checks memory[start, end) as host with an optional port and notes it in the head, a colon without a port left out. */
export function setAuthority(memory: Uint8Array, start: number, end: number, head: RequestHead): boolean {
  const hostEnd = parseAuthority(memory, start, end)
  if (hostEnd === -1) return false
  head.authorityStart = start
  head.hostStart = start
  head.hostEnd = hostEnd
  head.authorityEnd = hostEnd + 1 === end ? hostEnd : end
  return true
}

function parsePathAndQuery(memory: Uint8Array, start: number, end: number, head: RequestHead): number {
  const path = PATH
  let at = start
  for (;;) {
    while (at < end && path[memory[at]] === TARGET_BYTE.PLAIN) at++
    if (at === end) return 0
    if (path[memory[at]] !== TARGET_BYTE.PERCENT) break
    if (at + 1 === end) return 0
    const high = HEX[memory[at + 1]]
    if (high === 255) return -REJECT.TARGET_ENCODING
    if (at + 2 === end) return 0
    const low = HEX[memory[at + 2]]
    if (low === 255 || (high | low) === 0) return -REJECT.TARGET_ENCODING
    at += 3
  }
  head.pathStart = start
  head.pathEnd = at
  head.hasQuery = path[memory[at]] === TARGET_BYTE.QUESTION
  if (head.hasQuery) {
    const query = QUERY
    head.queryStart = ++at
    while (at < end && query[memory[at]] === TARGET_BYTE.PLAIN) at++
    if (at === end) return 0
  } else head.queryStart = at
  head.queryEnd = at
  return memory[at] === BYTE.SPACE ? at : refuseTargetByte(memory, at, end)
}

/** The offset behind "http://" or "https://", in any case, or -REJECT.*. */
function endOfScheme(memory: Uint8Array, start: number, targetEnd: number): number {
  for (const scheme of [HTTP_SCHEME, HTTPS_SCHEME]) {
    const end = start + scheme.length
    if (end <= targetEnd && equalsIgnoreCase(memory, start, end, scheme)) return end
  }
  const isLetter = (memory[start] | 0x20) >= 0x61 && (memory[start] | 0x20) <= 0x7a
  for (let at = start; isLetter && at + 2 < targetEnd; at++) {
    if (memory[at] === BYTE.COLON)
      return memory[at + 1] === BYTE.SLASH && memory[at + 2] === BYTE.SLASH ? -REJECT.TARGET_SCHEME : -REJECT.TARGET_FORM
  }
  return -REJECT.TARGET_FORM
}

function refuseTargetByte(memory: Uint8Array, at: number, end: number): number {
  const byte = memory[at]
  if (byte === BYTE.HASH) return -REJECT.TARGET_FRAGMENT
  if (byte === BYTE.HTAB) return -REJECT.REQUEST_LINE_SPACE
  if (byte === BYTE.LF) return -REJECT.BARE_LF
  if (byte !== BYTE.CR) return -REJECT.TARGET_INVALID
  if (at + 1 === end) return 0
  return memory[at + 1] === BYTE.LF ? -REJECT.VERSION_MISSING : -REJECT.BARE_CR
}
