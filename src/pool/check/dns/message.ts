import { addressBytes } from '../../../core/index.ts'

export const RECORD_TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  HTTPS: 65,
}

export const RESPONSE_CODES: Readonly<Record<string, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
}

export function responseName(code: number): string {
  return Object.keys(RESPONSE_CODES).find((name) => RESPONSE_CODES[name] === code) ?? `RCODE ${code}`
}

const HEADER_BYTES = 12
const INTERNET = 1
const RECURSION_DESIRED = 0x0100
const RESPONSE = 0x8000

/** RFC 1035 §4: one question, with recursion desired. */
export function encodeQuery(id: number, name: string, type: number): Buffer {
  const labels = name === '' ? [] : name.split('.')
  const question = Buffer.concat([
    ...labels.map((label) => Buffer.concat([Uint8Array.of(label.length), Buffer.from(label)])),
    Uint8Array.of(0),
  ])
  const query = Buffer.alloc(HEADER_BYTES + question.length + 4)
  query.writeUInt16BE(id, 0)
  query.writeUInt16BE(RECURSION_DESIRED, 2)
  query.writeUInt16BE(1, 4)
  question.copy(query, HEADER_BYTES)
  query.writeUInt16BE(type, HEADER_BYTES + question.length)
  query.writeUInt16BE(INTERNET, HEADER_BYTES + question.length + 2)
  return query
}

export interface DnsAnswer {
  readonly code: number
  readonly count: number
  /** Whether one of the answers is the address that was looked for. */
  readonly hasAddress: boolean
}

/** The response to a query; undefined where it is no response to this one, null where it is damaged. */
export function readResponse(message: Buffer, query: Buffer, address: string | undefined): DnsAnswer | undefined | null {
  if (message.length < HEADER_BYTES || message.readUInt16BE(0) !== query.readUInt16BE(0)) return undefined
  const flags = message.readUInt16BE(2)
  if ((flags & RESPONSE) === 0) return undefined
  const [questions, count] = [message.readUInt16BE(4), message.readUInt16BE(6)]
  let at = HEADER_BYTES
  if (questions === 1) {
    const end = query.length
    if (message.length < end || !equalsIgnoringCase(message.subarray(at, end), query.subarray(at, end))) return undefined
    at = end
  } else if (questions > 1) return null
  const wanted = address === undefined ? undefined : addressBytes(address)
  let hasAddress = false
  for (let answer = 0; answer < count; answer++) {
    at = skipName(message, at)
    if (at < 0 || at + 10 > message.length) return null
    const end = at + 10 + message.readUInt16BE(at + 8)
    if (end > message.length) return null
    if (wanted !== undefined && isAddress(message.readUInt16BE(at)) && Buffer.compare(message.subarray(at + 10, end), wanted) === 0)
      hasAddress = true
    at = end
  }
  return { code: flags & 15, count, hasAddress }
}

function isAddress(type: number): boolean {
  return type === RECORD_TYPES.A || type === RECORD_TYPES.AAAA
}

/** Behind a name; what a pointer points to is never looked at, so that none can lead in circles. -1 where it does not end. */
function skipName(message: Buffer, from: number): number {
  let at = from
  while (at < message.length) {
    const length = message[at]
    if (length >= 0xc0) return at + 2
    if (length === 0) return at + 1
    if (length > 63) return -1
    at += 1 + length
  }
  return -1
}

/** RFC 1035 §2.3.3: names keep their case, and are compared without it. */
function equalsIgnoringCase(a: Buffer, b: Buffer): boolean {
  return a.toString('latin1').toLowerCase() === b.toString('latin1').toLowerCase()
}
