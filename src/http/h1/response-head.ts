import { BYTE, VALUE_STOP } from '../characters.ts'
import { OPTION, parseConnectionOptions } from '../connection-options.ts'
import { FIELD } from '../fields.ts'
import { BODY, type HeadLimits, METHOD, type ResponseHead } from '../message.ts'
import { endOfLine, parseFieldLines } from './field-lines.ts'
import { parseContentLength, refuseTransferEncoding } from './framing.ts'
import { REJECT } from './reject.ts'
import { majorVersion, minorVersion, parseVersion, VERSION_LENGTH } from './version.ts'

// Constants of this module are folded into the compiled code, those of another one are loaded each time: 25 % of a small head.
const { CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE } = FIELD
const {
  CLOSE: CLOSE_OPTION,
  KEEP_ALIVE: KEEP_ALIVE_OPTION,
  MALFORMED: MALFORMED_OPTION,
  OTHER: OTHER_OPTION,
  UPGRADE: UPGRADE_OPTION,
} = OPTION
const { NONE, LENGTH, CHUNKED, UNTIL_CLOSE } = BODY
const { CONNECT: CONNECT_METHOD, HEAD: HEAD_METHOD } = METHOD

/**
 * Reads the head of a response to a request with `requestMethod` (METHOD.*) from memory[start, end) into `head`. Returns the offset
 * behind it, 0 where it is not complete, or -REJECT.*; every refusal is a 502 and the end of that connection. Interim
 * responses (1xx) are read like all others, with NONE.
 */
export function parseResponseHead(
  memory: Uint8Array,
  start: number,
  end: number,
  head: ResponseHead,
  limits: HeadLimits,
  requestMethod: number,
): number {
  const headBound = start + limits.maxHeadBytes
  const lineBound = start + limits.maxLineBytes + 2
  const bound = Math.min(end, headBound)
  const fieldsStart = parseStatusLine(memory, start, Math.min(bound, lineBound), head)
  if (fieldsStart <= 0) {
    const isTooLong = fieldsStart === 0 && end >= Math.min(headBound, lineBound)
    return isTooLong ? -REJECT.HEAD_TOO_LARGE : fieldsStart
  }
  const headEnd = parseFieldLines(memory, fieldsStart, bound, head.fields, limits.maxFields, true)
  if (headEnd <= 0) return headEnd === 0 && end >= headBound ? -REJECT.HEAD_TOO_LARGE : headEnd
  head.headStart = start
  head.headEnd = headEnd
  const reason = interpretFields(memory, head, requestMethod)
  return reason === 0 ? headEnd : -reason
}

/** RFC 9112 §4. The space before an absent reason may be missing, as many servers leave it out. */
function parseStatusLine(memory: Uint8Array, start: number, end: number, head: ResponseHead): number {
  const versionEnd = parseVersion(memory, start, end)
  if (versionEnd <= 0) return versionEnd === 0 ? 0 : -REJECT.STATUS_LINE_INVALID
  if (majorVersion(memory, start) !== 1) return -REJECT.VERSION_UNSUPPORTED
  head.minorVersion = minorVersion(memory, start)
  let at = start + VERSION_LENGTH
  if (at === end) return 0
  if (memory[at++] !== BYTE.SPACE) return -REJECT.STATUS_LINE_INVALID
  let status = 0
  for (const statusEnd = at + 3; at < statusEnd; at++) {
    if (at === end) return 0
    const digit = memory[at] - BYTE.ZERO
    if (digit < 0 || digit > 9) return -REJECT.STATUS_LINE_INVALID
    status = status * 10 + digit
  }
  if (status < 100 || status > 599) return -REJECT.STATUS_INVALID
  head.status = status
  if (at === end) return 0
  if (memory[at] === BYTE.SPACE) at++
  else if (memory[at] !== BYTE.CR && memory[at] !== BYTE.LF) return -REJECT.STATUS_LINE_INVALID
  head.reasonStart = at
  while (at < end && VALUE_STOP[memory[at]] === 0) at++
  if (at === end) return 0
  head.reasonEnd = at
  return endOfLine(memory, at, end)
}

function interpretFields(memory: Uint8Array, head: ResponseHead, requestMethod: number): number {
  const fields = head.fields
  let length = -1
  let encoding = -1
  let hasUpgrade = false
  let options = 0
  for (let i = 0; i < fields.count; i++) {
    switch (fields.ids[i]) {
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
      case UPGRADE:
        hasUpgrade = true
    }
  }
  const mustClose = (options & (CLOSE_OPTION | MALFORMED_OPTION)) !== 0
  head.keepAlive = !mustClose && (head.minorVersion === 1 || (options & KEEP_ALIVE_OPTION) !== 0)
  head.upgrade = hasUpgrade && (options & UPGRADE_OPTION) !== 0
  head.hasConnectionOptions = (options & OTHER_OPTION) !== 0
  return interpretBody(memory, head, requestMethod, length, encoding)
}

/** RFC 9112 §6.3, rules 1 to 8. */
function interpretBody(memory: Uint8Array, head: ResponseHead, requestMethod: number, length: number, encoding: number): number {
  const fields = head.fields
  head.body = UNTIL_CLOSE
  head.contentLength = 0
  if (encoding !== -1) {
    if (length !== -1) return REJECT.TRANSFER_ENCODING_AND_LENGTH
    if (head.minorVersion === 0) return REJECT.TRANSFER_ENCODING_VERSION
    const reason = refuseTransferEncoding(memory, fields.valueStart(encoding), fields.valueEnd(encoding))
    if (reason !== 0) return reason
    head.body = CHUNKED
  } else if (length !== -1) {
    const value = parseContentLength(memory, fields, length)
    if (value < 0) return -value
    head.body = LENGTH
    head.contentLength = value
  }
  if (hasNoBody(head.status, requestMethod)) head.body = NONE
  if (head.body === UNTIL_CLOSE) head.keepAlive = false
  return 0
}

function hasNoBody(status: number, requestMethod: number): boolean {
  if (requestMethod === HEAD_METHOD || status < 200 || status === 204 || status === 304) return true
  return requestMethod === CONNECT_METHOD && status < 300
}
