import { HEADER_BYTES } from './socket.ts'

const NESTED = 0x8000

/** Builds a netlink message: header, a family's fixed part, attributes (possibly nested). Numbers are in the machine's order. */
export class MessageBuilder {
  readonly #chunks: Uint8Array[] = []
  readonly #open: { header: Uint8Array; start: number }[] = []
  readonly #header = new Uint8Array(HEADER_BYTES)
  #length = HEADER_BYTES

  constructor(type: number, flags: number, fixed: Uint8Array) {
    const view = new DataView(this.#header.buffer)
    view.setUint16(4, type, true)
    view.setUint16(6, flags, true)
    this.#append(fixed)
  }

  bytes(type: number, value: Uint8Array): this {
    this.#append(attributeHeader(type, value.length + 4))
    this.#append(value)
    return this
  }

  u8(type: number, value: number): this {
    return this.bytes(type, Uint8Array.of(value))
  }

  u16(type: number, value: number): this {
    const bytes = new Uint8Array(2)
    new DataView(bytes.buffer).setUint16(0, value, true)
    return this.bytes(type, bytes)
  }

  u32(type: number, value: number): this {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, value, true)
    return this.bytes(type, bytes)
  }

  /** A text with its final NUL. */
  text(type: number, value: string): this {
    return this.bytes(type, Buffer.from(`${value}\0`))
  }

  /** Attributes added by `build` become one nested attribute. `flag`: whether its type carries NLA_F_NESTED. */
  nest(type: number, build: (message: this) => void, flag = false): this {
    const header = attributeHeader(flag ? type | NESTED : type, 4)
    this.#open.push({ header, start: this.#length })
    this.#append(header)
    build(this)
    const opened = this.#open.pop()
    if (opened !== undefined) new DataView(opened.header.buffer).setUint16(0, this.#length - opened.start, true)
    return this
  }

  build(): Uint8Array {
    new DataView(this.#header.buffer).setUint32(0, this.#length, true)
    return Buffer.concat([this.#header, ...this.#chunks])
  }

  #append(bytes: Uint8Array): void {
    this.#chunks.push(bytes)
    this.#length += bytes.length
    const padding = -bytes.length & 3
    if (padding === 0) return
    this.#chunks.push(new Uint8Array(padding))
    this.#length += padding
  }
}

function attributeHeader(type: number, length: number): Uint8Array {
  const header = new Uint8Array(4)
  const view = new DataView(header.buffer)
  view.setUint16(0, length, true)
  view.setUint16(2, type, true)
  return header
}

/** Attributes that follow a fixed part of `start` bytes, by type. */
export function readAttributes(payload: Uint8Array, start: number): Map<number, Uint8Array> {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const attributes = new Map<number, Uint8Array>()
  let at = start
  while (at + 4 <= payload.length) {
    const length = view.getUint16(at, true)
    if (length < 4 || at + length > payload.length) break
    attributes.set(view.getUint16(at + 2, true) & 0x3fff, payload.subarray(at + 4, at + length))
    at += (length + 3) & ~3
  }
  return attributes
}
