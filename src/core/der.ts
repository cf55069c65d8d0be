/** Tags of DER (X.690) that certificates, requests for them and OCSP are made of. */
export const DER = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_ID: 0x06,
  ENUMERATED: 0x0a,
  UTF8_STRING: 0x0c,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const

export const DER_TRUE = Buffer.of(DER.BOOLEAN, 0x01, 0xff)
export const DER_NULL = Buffer.of(0x05, 0x00)

/** Tag, length, content (X.690 §8.1). */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const length: number[] = []
  if (content.length < 128) length.push(content.length)
  else {
    for (let rest = content.length; rest > 0; rest >>>= 8) length.unshift(rest & 0xff)
    length.unshift(0x80 | length.length)
  }
  return Buffer.concat([Buffer.of(tag, ...length), content])
}

/** An object identifier from its dotted form, "1.2.840.10045.4.3.2". */
export function derObjectId(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift(0x80 | (left & 0x7f))
    return groups
  })
  return der(DER.OBJECT_ID, Buffer.from(bytes))
}

/** GeneralizedTime to the second, in UTC. */
export function derTime(ms: number): Buffer {
  return der(DER.GENERALIZED_TIME, Buffer.from(new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')))
}

/** PEM (RFC 7468) of some DER. */
export function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .replace(/(.{64})(?=.)/g, '$1\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

/**
 * One value of DER that was read: its tag, its content, and the two together. Reading stays within the bytes that were given, takes
 * definite lengths in their shortest form only, and throws an Error in words for everything else. It copies nothing.
 */
export class DerValue {
  readonly tag: number
  readonly content: Buffer
  /** With tag and length. */
  readonly whole: Buffer

  private constructor(tag: number, content: Buffer, whole: Buffer) {
    this.tag = tag
    this.content = content
    this.whole = whole
  }

  /** The value that fills all the bytes. */
  static parse(bytes: Uint8Array): DerValue {
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const value = DerValue.#at(all, 0)
    if (value.whole.length !== all.length) throw new Error(`${all.length - value.whole.length} bytes too many behind a value of DER`)
    return value
  }

  /** The members of a constructed value. `tag` is demanded where it is given. */
  members(tag?: number): DerValue[] {
    if (tag !== undefined) this.demand(tag)
    if ((this.tag & 0x20) === 0) throw new Error(`a value of DER with tag ${this.tag} has no members`)
    const found: DerValue[] = []
    for (let at = 0; at < this.content.length; ) {
      const next = DerValue.#at(this.content, at)
      found.push(next)
      at += next.whole.length
    }
    return found
  }

  demand(tag: number): this {
    if (this.tag !== tag) throw new Error(`a value of DER with tag ${tag} is expected, not ${this.tag}`)
    return this
  }

  /** Of GeneralizedTime or UTCTime, in milliseconds since the epoch. */
  time(): number {
    const text = this.content.toString('latin1')
    const match = /^(\d{2})?(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
    if (match === null || (match[1] === undefined) !== (this.tag === DER.UTC_TIME)) throw new Error('a time in DER is malformed')
    const [, century, ...parts] = match
    const [year, month, day, hour, minute, second] = parts.map(Number)
    // RFC 5280 §4.1.2.5.1: years of two digits are of 1950 to 2049.
    const full = century === undefined ? (year < 50 ? 2000 : 1900) + year : Number(century) * 100 + year
    return Date.UTC(full, month - 1, day, hour, minute, second)
  }

  /** The bits of a BIT STRING that ends with a whole byte. */
  bits(): Buffer {
    this.demand(DER.BIT_STRING)
    if (this.content[0] !== 0) throw new Error('a BIT STRING of DER does not end with a whole byte')
    return this.content.subarray(1)
  }

  static #at(bytes: Buffer, start: number): DerValue {
    if (bytes.length - start < 2) throw new Error('a value of DER is cut off')
    const tag = bytes[start]
    if ((tag & 0x1f) === 0x1f) throw new Error('a tag of DER has several bytes')
    let at = start + 2
    let length = bytes[start + 1]
    if (length > 0x7f) {
      const count = length & 0x7f
      if (count === 0 || count > 4) throw new Error('a length of DER is indefinite or too long')
      if (bytes.length - at < count) throw new Error('a value of DER is cut off')
      length = bytes.readUIntBE(at, count)
      if (length < 0x80 || bytes[at] === 0) throw new Error('a length of DER is not in its shortest form')
      at += count
    }
    if (length > bytes.length - at) throw new Error('a value of DER is cut off')
    return new DerValue(tag, bytes.subarray(at, at + length), bytes.subarray(start, at + length))
  }
}
