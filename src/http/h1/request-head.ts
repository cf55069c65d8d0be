import { OPTION, parseConnectionOptions } from '../connection-options.ts'
import { equalsIgnoreCase } from '../field-names.ts'
import { FIELD, type Fields } from '../fields.ts'
import { BODY, type HeadLimits, METHOD, type RequestHead, TARGET } from '../message.ts'
import { hasConfusableName, parseFieldLines } from './field-lines.ts'
import { parseContentLength, refuseTransferEncoding } from './framing.ts'
import { REJECT } from './reject.ts'
import { parseRequestLine } from './request-line.ts'
import { setAuthority } from './target.ts'

// Constants of this module are folded into the compiled code, those of another one are loaded each time: 25 % of a small head.
const { CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE } = FIELD
const {
  CLOSE: CLOSE_OPTION,
  KEEP_ALIVE: KEEP_ALIVE_OPTION,
  MALFORMED: MALFORMED_OPTION,
  OTHER: OTHER_OPTION,
  PROTECTED: PROTECTED_OPTION,
  UPGRADE: UPGRADE_OPTION,
} = OPTION
const { NONE, LENGTH, CHUNKED } = BODY
const { CONNECT: CONNECT_METHOD, TRACE: TRACE_METHOD } = METHOD
const { ABSOLUTE, ASTERISK, AUTHORITY } = TARGET

const CONTINUE = Uint8Array.from('100-continue', (character) => character.charCodeAt(0))

/**
 * Reads a request's head from memory[start, end) into `head`. Returns the offset behind it, 0 where it is not complete (and within
 * the limits so far), or -REJECT.*. A prefix gives 0 or the refusal that the whole gives; call again with more bytes,
 * or when HeadScanner says so. After a refusal or 0 the head holds nothing of use.
 */
export function parseRequestHead(memory: Uint8Array, start: number, end: number, head: RequestHead, limits: HeadLimits): number {
  const headBound = start + limits.maxHeadBytes
  const lineBound = start + limits.maxLineBytes + 2
  const bound = Math.min(end, headBound)
  const fieldsStart = parseRequestLine(memory, start, Math.min(bound, lineBound), head)
  if (fieldsStart <= 0) {
    const isTooLong = fieldsStart === 0 && end >= Math.min(headBound, lineBound)
    return isTooLong ? refuseLongLine(memory, start, bound) : fieldsStart
  }
  const headEnd = parseFieldLines(memory, fieldsStart, bound, head.fields, limits.maxFields, false)
  if (headEnd <= 0) return headEnd === 0 && end >= headBound ? -REJECT.HEAD_TOO_LARGE : headEnd
  head.headEnd = headEnd
  const reason = interpretFields(memory, head)
  return reason === 0 ? headEnd : -reason
}

/** 414 once the target has begun; a method that fills the line is a 400. */
function refuseLongLine(memory: Uint8Array, start: number, bound: number): number {
  for (let at = start; at < bound; at++) if (memory[at] === 0x20) return -REJECT.TARGET_TOO_LONG
  return -REJECT.REQUEST_LINE_TOO_LONG
}

/** What the fields say about host, body and connection. Returns the reason to refuse the request, or 0. */
function interpretFields(memory: Uint8Array, head: RequestHead): number {
  const fields = head.fields
  let host = -1
  let length = -1
  let encoding = -1
  let hasUpgrade = false
  let options = 0
  head.expectContinue = false
  for (let i = 0; i < fields.count; i++) {
    switch (fields.ids[i]) {
      case HOST:
        if (host !== -1) return REJECT.HOST_REPEATED
        host = i
        break
      case CONNECTION:
        options |= parseConnectionOptions(memory, fields.valueStart(i), fields.valueEnd(i))
        break
      case CONTENT_LENGTH:
        if (length !== -1) return REJECT.CONTENT_LENGTH_REPEATED
        length = i
        break
      case TRANSFER_ENCODING:
        if (encoding !== -1) return REJECT.TRANSFER_ENCODING_REPEATED
        encoding = i
        break
      case EXPECT:
        if (!equalsIgnoreCase(memory, fields.valueStart(i), fields.valueEnd(i), CONTINUE)) return REJECT.EXPECTATION_UNKNOWN
        // RFC 9110 §10.1.1: in HTTP/1.0 a 100-continue expectation is ignored.
        head.expectContinue = head.minorVersion === 1
        break
      case UPGRADE:
        hasUpgrade = true
    }
  }
  if (hasConfusableName(memory, fields)) return REJECT.FIELD_NAME_CONFUSABLE
  if ((options & PROTECTED_OPTION) !== 0) return REJECT.CONNECTION_OPTION_FORBIDDEN
  setPersistence(head, options, hasUpgrade)
  const reason = interpretHost(memory, head, host)
  return reason === 0 ? interpretBody(memory, head, length, encoding) : reason
}

/** RFC 9112 §9.3 and RFC 9110 §7.8 (an Upgrade in HTTP/1.0 is ignored). */
function setPersistence(head: RequestHead, options: number, hasUpgrade: boolean): void {
  const mustClose = (options & (CLOSE_OPTION | MALFORMED_OPTION)) !== 0
  head.keepAlive = !mustClose && (head.minorVersion === 1 || (options & KEEP_ALIVE_OPTION) !== 0)
  head.upgrade = hasUpgrade && head.minorVersion === 1 && (options & UPGRADE_OPTION) !== 0
  head.hasConnectionOptions = (options & OTHER_OPTION) !== 0
}

/** RFC 9112 §3.2 and §3.3. The authority of the target, where it has one, is there already and wins. */
function interpretHost(memory: Uint8Array, head: RequestHead, index: number): number {
  if (index === -1) return head.minorVersion === 1 ? REJECT.HOST_MISSING : 0
  const fields: Fields = head.fields
  const start = fields.valueStart(index)
  const end = fields.valueEnd(index)
  const hasOwnAuthority = head.targetForm === ABSOLUTE || head.targetForm === AUTHORITY
  if (start === end) return hasOwnAuthority || head.targetForm === ASTERISK ? 0 : REJECT.HOST_MISSING
  const { authorityStart, authorityEnd, hostStart, hostEnd } = head
  if (!setAuthority(memory, start, end, head)) return REJECT.HOST_INVALID
  // "host:" means "host"; the field is cut so that it is forwarded that way.
  fields.offsets[index * 4 + 3] = head.authorityEnd
  if (hasOwnAuthority) {
    head.authorityStart = authorityStart
    head.authorityEnd = authorityEnd
    head.hostStart = hostStart
    head.hostEnd = hostEnd
  }
  return 0
}

/** RFC 9112 §6.3. A request without Content-Length and Transfer-Encoding has no body. */
function interpretBody(memory: Uint8Array, head: RequestHead, length: number, encoding: number): number {
  head.body = NONE
  head.contentLength = 0
  if (length === -1 && encoding === -1) return 0
  if (head.method === CONNECT_METHOD || head.method === TRACE_METHOD) return REJECT.BODY_FORBIDDEN
  const fields = head.fields
  if (encoding === -1) {
    const value = parseContentLength(memory, fields, length)
    if (value < 0) return -value
    head.body = LENGTH
    head.contentLength = value
    return 0
  }
  if (length !== -1) return REJECT.TRANSFER_ENCODING_AND_LENGTH
  if (head.minorVersion === 0) return REJECT.TRANSFER_ENCODING_VERSION
  head.body = CHUNKED
  return refuseTransferEncoding(memory, fields.valueStart(encoding), fields.valueEnd(encoding))
}
