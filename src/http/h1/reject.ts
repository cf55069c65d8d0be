/**
 * Why a message is refused. Parsers return the negated number; REJECTIONS[number] has the status to answer a client with, the name
 * for logs and metrics, and the sentence for the error page. A refused response is a 502 whatever its status here says.
 * docs/http-strictness.md lists the same names, which a test compares.
 */
const CATALOGUE = {
  TLS_HANDSHAKE: [400, '9110 §4.2.2', 'a TLS handshake came to a listener that speaks plain HTTP'],
  EMPTY_LINES: [400, '9112 §2.2', 'more than one empty line stands before the request line'],
  LEADING_SPACE: [400, '9112 §2.2', 'white space stands before the first field or the request line'],
  BARE_LF: [400, '9112 §2.2', 'a line ends with LF instead of CRLF'],
  BARE_CR: [400, '9112 §2.2', 'a CR is not followed by LF'],
  METHOD_INVALID: [400, '9110 §9.1', 'the method is not a token'],
  METHOD_CASE: [400, '9110 §9.1', 'the method is a well-known one in the wrong case'],
  REQUEST_LINE_SPACE: [400, '9112 §3', 'the parts of the request line are not separated by exactly one space'],
  REQUEST_LINE_TOO_LONG: [400, '9112 §3', 'the method is too long'],
  TARGET_TOO_LONG: [414, '9112 §3', 'the request target is too long'],
  TARGET_INVALID: [400, '9112 §3.2', 'the request target has a byte that a URI may not have'],
  TARGET_FRAGMENT: [400, '9112 §3.2', 'the request target has a fragment'],
  TARGET_ENCODING: [400, '3986 §2.1', 'the path has a "%" without two hexadecimal digits, or an encoded NUL'],
  TARGET_FORM: [400, '9112 §3.2', 'the request target is of no form that the method allows'],
  TARGET_SCHEME: [400, '9112 §3.2.2', 'the scheme of the request target is neither http nor https'],
  AUTHORITY_INVALID: [400, '9110 §4.2.4', 'the authority in the request target is no valid host with an optional port'],
  VERSION_MISSING: [400, '9112 §2.3', 'the request line has no version (HTTP/0.9 is not served)'],
  VERSION_INVALID: [400, '9112 §2.3', 'the version is not written "HTTP/", digit, ".", digit'],
  VERSION_UNSUPPORTED: [505, '9110 §15.6.6', 'the major version of HTTP is not 1'],
  HTTP2_PREFACE: [505, '9113 §3.4', 'the client speaks HTTP/2 without having agreed on it'],
  OBS_FOLD: [400, '9112 §5.2', 'a field is folded over several lines'],
  FIELD_NAME_EMPTY: [400, '9112 §5', 'a field has no name'],
  FIELD_NAME_INVALID: [400, '9112 §5.1', 'a field name is not a token'],
  FIELD_NAME_CONFUSABLE: [400, '3875 §4.1.18', 'a field name differs from a well-known one only by "_" or another mark in place of "-"'],
  FIELD_SPACE_BEFORE_COLON: [400, '9112 §5.1', 'white space stands between a field name and its colon'],
  FIELD_COLON_MISSING: [400, '9112 §5', 'a field line has no colon'],
  FIELD_VALUE_INVALID: [400, '9110 §5.5', 'a field value has a control character'],
  HEAD_TOO_LARGE: [431, '6585 §5', 'the head is too large'],
  TOO_MANY_FIELDS: [431, '6585 §5', 'the head has too many fields'],
  HOST_MISSING: [400, '9112 §3.2', 'the Host is missing or empty'],
  HOST_REPEATED: [400, '9112 §3.2', 'the request has more than one Host'],
  HOST_INVALID: [400, '9112 §3.2', 'the Host is no valid host with an optional port'],
  CONTENT_LENGTH_INVALID: [400, '9110 §8.6', 'the Content-Length is not a decimal number below 2^53'],
  CONTENT_LENGTH_REPEATED: [400, '9112 §6.3', 'the message has more than one Content-Length'],
  TRANSFER_ENCODING_INVALID: [400, '9112 §6.3', 'the Transfer-Encoding does not end in exactly one "chunked"'],
  TRANSFER_ENCODING_REPEATED: [400, '9112 §6.3', 'the message has more than one Transfer-Encoding'],
  TRANSFER_ENCODING_VERSION: [400, '9112 §6.1', 'an HTTP/1.0 message has a Transfer-Encoding'],
  TRANSFER_ENCODING_AND_LENGTH: [400, '9112 §6.3', 'the message has both Transfer-Encoding and Content-Length'],
  TRANSFER_CODING_UNKNOWN: [501, '9112 §7', 'a transfer coding other than chunked is not implemented'],
  BODY_FORBIDDEN: [400, '9110 §9.3', 'a CONNECT or TRACE request announces a body'],
  EXPECTATION_UNKNOWN: [417, '9110 §10.1.1', 'the expectation is not 100-continue'],
  CONNECTION_OPTION_FORBIDDEN: [400, '9110 §7.6.1', 'a connection option names a field that every recipient needs'],
  STATUS_LINE_INVALID: [502, '9112 §4', 'the status line is not a version, three digits and a reason'],
  STATUS_INVALID: [502, '9110 §15', 'the status is outside 100 to 599'],
  CHUNK_SIZE_INVALID: [400, '9112 §7.1', 'a chunk size is not a hexadecimal number'],
  CHUNK_SIZE_TOO_LARGE: [400, '9112 §7.1', 'a chunk size has more than 16 digits or is not below 2^53'],
  CHUNK_EXTENSION_INVALID: [400, '9112 §7.1.1', 'a chunk extension is not a name with an optional token or quoted string'],
  CHUNK_EXTENSIONS_TOO_LONG: [400, '9112 §7.1.1', 'the chunk extensions are too long'],
  CHUNK_END_MISSING: [400, '9112 §7.1', 'the data of a chunk is not followed by CRLF'],
  TRAILER_FORBIDDEN: [400, '9110 §6.5.1', 'a trailer field would change the framing or routing of the message'],
  TRAILERS_TOO_LARGE: [431, '9112 §7.1.2', 'the trailer section is too large'],
} as const satisfies Record<string, readonly [status: number, section: string, sentence: string]>

export type RejectKey = keyof typeof CATALOGUE

export interface Rejection {
  readonly status: number
  /** Kebab-case and stable: "bare-lf". */
  readonly name: string
  /** RFC and section that the refusal rests on: "9112 §2.2". */
  readonly section: string
  readonly sentence: string
}

const KEYS = Object.keys(CATALOGUE) as RejectKey[]

/** The number of each reason, from 1. */
export const REJECT = Object.fromEntries(KEYS.map((key, index) => [key, index + 1])) as Readonly<Record<RejectKey, number>>

const NONE: Rejection = { status: 200, name: 'none', section: '', sentence: 'nothing is wrong' }

/** By number; index 0 is "none". */
export const REJECTIONS: readonly Rejection[] = [NONE, ...KEYS.map((key) => describe(key))]

function describe(key: RejectKey): Rejection {
  const [status, section, sentence] = CATALOGUE[key]
  return { status, name: key.toLowerCase().replaceAll('_', '-'), section, sentence }
}
