/**
 * The wire format of DNS (RFC 1035 §4), as far as a client needs it that looks for addresses and SRV records. Names are text in lower
 * case without the final dot; labels with other bytes than letters, digits, "-" and "_" name no server and are refused.
 */
export const TYPE = { A: 1, CNAME: 5, SOA: 6, AAAA: 28, SRV: 33, OPT: 41 } as const
const CLASS_IN = 1

/** What fits a datagram on every path, as resolvers agree since 2020. */
const UDP_BYTES = 1232
const HEADER_BYTES = 12
/** More records than that are an attack or a mistake. */
const MAX_RECORDS = 4096

/** Bits of the second header word. */
const RESPONSE = 0x8000
const OPCODE = 0x7800
const TRUNCATED = 0x0200
const RECURSION_DESIRED = 0x0100
const RCODE = 0x000f

export const RCODE_NAMES: Readonly<Record<number, string>> = {
  0: 'NOERROR',
  1: 'FORMERR',
  2: 'SERVFAIL',
  3: 'NXDOMAIN',
  4: 'NOTIMP',
  5: 'REFUSED',
}

export interface Srv {
  readonly priority: number
  readonly weight: number
  readonly port: number
  /** "" for ".": the service is not there (RFC 2782). */
  readonly target: string
}

/** A record of the answer section that concerns us; exactly one of the last three is not undefined. */
export interface DnsRecord {
  readonly name: string
  readonly type: number
  readonly ttlSeconds: number
  /** Of A (4 bytes) and AAAA (16 bytes). */
  readonly address: Uint8Array | undefined
  readonly cname: string | undefined
  readonly srv: Srv | undefined
}

export interface DnsResponse {
  readonly rcode: number
  readonly isTruncated: boolean
  readonly answers: readonly DnsRecord[]
  /** How long an answer without records may be kept (RFC 2308 §5); undefined where no SOA says it. */
  readonly negativeTtlSeconds: number | undefined
}

/** Something that is no response, or no response to the question. */
export class DnsFormatError extends Error {
  override name = 'DnsFormatError'
}

/** A query for one type of records of a name, with EDNS for longer answers. */
export function encodeQuery(id: number, name: string, type: number): Uint8Array {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'))
  const bytes = Buffer.alloc(HEADER_BYTES + labels.reduce((sum, label) => sum + 1 + label.length, 1) + 4 + 11)
  bytes.writeUInt16BE(id, 0)
  bytes.writeUInt16BE(RECURSION_DESIRED, 2)
  bytes.writeUInt16BE(1, 4)
  bytes.writeUInt16BE(1, 10)
  let at = HEADER_BYTES
  for (const label of labels) {
    bytes[at] = label.length
    at += 1 + label.copy(bytes, at + 1)
  }
  at = bytes.writeUInt16BE(type, at + 1)
  at = bytes.writeUInt16BE(CLASS_IN, at)
  // RFC 6891 §6.1.2: the root name, OPT, the largest datagram; the rest of the record stays 0.
  at = bytes.writeUInt16BE(TYPE.OPT, at + 1)
  bytes.writeUInt16BE(UDP_BYTES, at)
  return bytes
}

/** Throws DnsFormatError for whatever is not a response to this very question. */
export function parseResponse(bytes: Uint8Array, id: number, name: string, type: number): DnsResponse {
  return new Reader(bytes).response(id, name, type)
}

/** Reads from front to back; every read checks its bounds. */
class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  response(id: number, name: string, type: number): DnsResponse {
    if (this.#uint16() !== id) throw new DnsFormatError('another id')
    const flags = this.#uint16()
    if ((flags & RESPONSE) === 0 || (flags & OPCODE) !== 0) throw new DnsFormatError('not a response')
    const [questions, answers, authorities] = [this.#uint16(), this.#uint16(), this.#uint16(), this.#uint16()]
    if (answers + authorities > MAX_RECORDS) throw new DnsFormatError('too many records')
    if (questions !== 1 || this.#name() !== name || this.#uint16() !== type || this.#uint16() !== CLASS_IN) {
      throw new DnsFormatError('another question')
    }
    const isTruncated = (flags & TRUNCATED) !== 0
    const rcode = flags & RCODE
    // What is left of a truncated answer says nothing: it is asked for again over TCP.
    if (isTruncated) return { rcode, isTruncated, answers: [], negativeTtlSeconds: undefined }
    const records: DnsRecord[] = []
    for (let index = 0; index < answers; index++) {
      const record = this.#record()
      if (record !== undefined) records.push(record)
    }
    let negativeTtlSeconds: number | undefined
    for (let index = 0; index < authorities; index++) negativeTtlSeconds = this.#negativeTtl() ?? negativeTtlSeconds
    return { rcode, isTruncated, answers: records, negativeTtlSeconds }
  }

  #record(): DnsRecord | undefined {
    const name = this.#name()
    const [type, isInternet, ttlSeconds, length] = [this.#uint16(), this.#uint16() === CLASS_IN, this.#ttl(), this.#uint16()]
    const end = this.#end(length)
    const record = isInternet ? this.#content(name, type, ttlSeconds, length) : undefined
    if (record === undefined) this.#at = end
    if (this.#at !== end) throw new DnsFormatError('a record of another length than it says')
    return record
  }

  #content(name: string, type: number, ttlSeconds: number, length: number): DnsRecord | undefined {
    const record = { name, type, ttlSeconds, address: undefined, cname: undefined, srv: undefined }
    switch (type) {
      case TYPE.A:
      case TYPE.AAAA:
        if (length !== (type === TYPE.A ? 4 : 16)) throw new DnsFormatError('an address of another length')
        this.#at += length
        return { ...record, address: this.#bytes.slice(this.#at - length, this.#at) }
      case TYPE.CNAME:
        return { ...record, cname: this.#name() }
      case TYPE.SRV: {
        const [priority, weight, port] = [this.#uint16(), this.#uint16(), this.#uint16()]
        return { ...record, srv: { priority, weight, port, target: this.#name() } }
      }
      default:
        return undefined
    }
  }

  #negativeTtl(): number | undefined {
    this.#name()
    const [type, , ttlSeconds, length] = [this.#uint16(), this.#uint16(), this.#ttl(), this.#uint16()]
    const end = this.#end(length)
    let negative: number | undefined
    if (type === TYPE.SOA && length >= 22) {
      this.#at = end - 4
      negative = Math.min(ttlSeconds, this.#ttl())
    }
    this.#at = end
    return negative
  }

  /** A name may continue where an earlier one stands. Each jump goes further back, so that there is an end to it. */
  #name(): string {
    let text = ''
    let at = this.#at
    let after = -1
    for (;;) {
      const length = this.#byte(at)
      if (length === 0) break
      if (length >= 0xc0) {
        const target = ((length & 0x3f) << 8) | this.#byte(at + 1)
        if (after === -1) after = at + 2
        if (target >= at) throw new DnsFormatError('a name that points forward')
        at = target
        continue
      }
      if (length > 63) throw new DnsFormatError('a label of an unknown kind')
      text += `${this.#label(at + 1, length)}.`
      // RFC 1035 §2.3.4
      if (text.length > 254) throw new DnsFormatError('a name that is too long')
      at += 1 + length
    }
    this.#at = after === -1 ? at + 1 : after
    return text.slice(0, -1)
  }

  #label(at: number, length: number): string {
    if (at + length > this.#bytes.length) throw new DnsFormatError('it ends early')
    const label = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + at, length)
      .toString('latin1')
      .toLowerCase()
    if (!LABEL.test(label)) throw new DnsFormatError('a name with other characters than those of hosts')
    return label
  }

  /** RFC 2181 §8: with the top bit set it counts as 0. */
  #ttl(): number {
    const [high, low] = [this.#uint16(), this.#uint16()]
    return high >= 0x8000 ? 0 : high * 0x10000 + low
  }

  #uint16(): number {
    const value = (this.#byte(this.#at) << 8) | this.#byte(this.#at + 1)
    this.#at += 2
    return value
  }

  #byte(at: number): number {
    if (at >= this.#bytes.length) throw new DnsFormatError('it ends early')
    return this.#bytes[at]
  }

  #end(length: number): number {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new DnsFormatError('it ends early')
    return end
  }
}

const LABEL = /^[a-z0-9_-]+$/
