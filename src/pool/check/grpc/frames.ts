/** HTTP/2 frames and fields, RFC 9113 and RFC 7541, as far as one request of our own needs them. */
export const FRAME = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PUSH_PROMISE: 5, PING: 6, GOAWAY: 7, CONTINUATION: 9 } as const
export const FLAG = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
/** No push, and no dynamic table: every field of the response can then be read by itself. */
export const OUR_SETTINGS = Buffer.from([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0])

export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Literal fields that are not indexed, without Huffman codes. */
export function encodeFields(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Uint8Array.of(0), literal(name), literal(value)]))
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Uint8Array.of(bytes.length), bytes])
  const rest = bytes.length - 127
  return Buffer.concat([Uint8Array.of(127, (rest & 127) | (rest > 127 ? 128 : 0), ...(rest > 127 ? [rest >> 7] : [])), bytes])
}

/** What of a response's fields decides; undefined for what did not come. */
export interface Outcome {
  httpStatus: number | undefined
  grpcStatus: number | undefined
}

/**
 * Names that are looked for, plain and in their Huffman code, of which there is only one: all other fields are skipped by their length, so that
 * the code's table of 257 entries is not needed. Values are numbers, which need eleven entries of it.
 */
const NAMES = new Map([
  ['677270632d737461747573', 'grpcStatus'],
  ['9acac8b21234da8f', 'grpcStatus'],
  ['3a737461747573', 'httpStatus'],
  ['b8848d36a3', 'httpStatus'],
]) as ReadonlyMap<string, keyof Outcome>

/** Appendix A of RFC 7541: ":status" is entries 8 to 14. */
const STATUSES = [200, 204, 206, 304, 400, 404, 500]
const STATIC_ENTRIES = 61

/** Reads a field section into `outcome`. Returns whether it is well-formed. */
export function readFields(block: Buffer, outcome: Outcome): boolean {
  const reader = new FieldReader(block)
  while (!reader.isAtEnd) {
    const first = block[reader.at]
    if ((first & 0x80) !== 0) {
      const index = reader.integer(7)
      if (index === 0 || index > STATIC_ENTRIES) return false
      if (index >= 8 && index <= 14) outcome.httpStatus = STATUSES[index - 8]
    } else if ((first & 0xe0) === 0x20) {
      if (reader.integer(5) !== 0) return false
    } else {
      const index = reader.integer((first & 0x40) !== 0 ? 6 : 4)
      if (index > STATIC_ENTRIES) return false
      const name = index === 0 ? NAMES.get(reader.text().toString('hex')) : index >= 8 && index <= 14 ? 'httpStatus' : undefined
      const isHuffman = !reader.isAtEnd && (block[reader.at] & 0x80) !== 0
      const value = reader.text()
      if (name !== undefined) outcome[name] = isHuffman ? huffmanDigits(value) : plainDigits(value)
    }
    if (reader.isBroken) return false
  }
  return true
}

class FieldReader {
  readonly #block: Buffer
  at = 0
  isBroken = false

  constructor(block: Buffer) {
    this.#block = block
  }

  get isAtEnd(): boolean {
    return this.at >= this.#block.length
  }

  /** RFC 7541 §5.1, up to 2^28. */
  integer(bits: number): number {
    const full = (1 << bits) - 1
    let value = this.#block[this.at++] & full
    if (value < full) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.isAtEnd) break
      const byte = this.#block[this.at++]
      value += (byte & 127) << shift
      if ((byte & 128) === 0) return value
    }
    this.isBroken = true
    return 0
  }

  /** The bytes of a string, encoded or not. */
  text(): Buffer {
    if (this.isAtEnd) {
      this.isBroken = true
      return this.#block.subarray(0, 0)
    }
    const length = this.integer(7)
    const text = this.#block.subarray(this.at, this.at + length)
    if (text.length < length) this.isBroken = true
    this.at += length
    return text
  }
}

function plainDigits(value: Buffer): number | undefined {
  return /^\d{1,3}$/.test(value.toString('latin1')) ? Number(value.toString('latin1')) : undefined
}

/** 0, 1 and 2 have codes of five bits that are themselves, 3 to 9 of six, from 25; the rest of the last byte is ones. */
function huffmanDigits(value: Buffer): number | undefined {
  const bits = [...value].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  let digits = ''
  let at = 0
  while (bits.length - at >= 5 && digits.length <= 3) {
    const short = Number.parseInt(bits.slice(at, at + 5), 2)
    const long = Number.parseInt(bits.slice(at, at + 6), 2)
    if (short < 3) digits += short
    else if (bits.length - at >= 6 && long >= 25 && long <= 31) digits += long - 22
    else break
    at += short < 3 ? 5 : 6
  }
  return /^\d{1,3}$/.test(digits) && /^1{0,7}$/.test(bits.slice(at)) ? Number(digits) : undefined
}
