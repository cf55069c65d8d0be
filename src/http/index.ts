/**
 * http: bytes ↔ messages. In come offsets into the engine's arena, out go offsets into the same bytes, numbers for what the
 * proxy steers by, and canonical bytes written where the caller says. Nothing here owns memory, keeps a reference to it
 * between calls, does I/O or throws; what is wrong with a message is a number that REJECTIONS explains.
 *
 *     bytes ─▶ parseRequestHead ─▶ RequestHead ─▶ writeTarget, writeFields ─▶ bytes
 *     bytes ─▶ BodyReader ─▶ runs of content ─▶ writeChunkHeader ─▶ bytes
 */
export { parseAuthority } from './authority.ts'
export { ByteRange } from './byte-range.ts'
export { flags, HOP_BY_HOP, isConnectionOption, OPTION, PROTECTED, parseConnectionOptions } from './connection-options.ts'
export { findCookie } from './cookie.ts'
export { parseDecimal, writeDecimal } from './decimal.ts'
export { equalsButForMarks, equalsIgnoreCase, FIELD_NAMES, fieldId } from './field-names.ts'
export { FIELD, Fields } from './fields.ts'
export { BodyReader } from './h1/body-reader.ts'
export { LAST_CHUNK, writeChunkHeader } from './h1/chunk-writer.ts'
export { HeadScanner } from './h1/head-scanner.ts'
export {
  mustRewriteHost,
  type WritableHead,
  writeBytes,
  writeCrlf,
  writeFieldLine,
  writeFields,
  writeRange,
  writeRequestHead,
  writeRequestLine,
  writeResponseHead,
  writeStatusLine,
  writeTarget,
} from './h1/head-writer.ts'
export { REJECT, REJECTIONS, type Rejection, type RejectKey } from './h1/reject.ts'
export { parseRequestHead } from './h1/request-head.ts'
export { parseResponseHead } from './h1/response-head.ts'
export { BODY, type HeadLimits, METHOD, RequestHead, ResponseHead, TARGET } from './message.ts'
export { equalsDecoded, findQueryParameter } from './query.ts'
