const SERVER_NAME = 0
const SUPPORTED_GROUPS = 10
const POINT_FORMATS = 11
const SIGNATURE_ALGORITHMS = 13
const ALPN = 16
const SUPPORTED_VERSIONS = 43
const MAX_NAME_BYTES = 255

/** A ClientHello (RFC 8446 §4.1.2), as far as certificates are chosen by it and clients recognized. Lists are in the client's order. */
export class ClientHello {
  version = 0
  ciphers: number[] = []
  extensions: number[] = []
  groups: number[] = []
  pointFormats: number[] = []
  signatures: number[] = []
  versions: number[] = []
  protocols: string[] = []
  /** Lower case, without a final dot; "" where there is none. */
  serverName = ''

  /** Reads the message with its four bytes of type and length. Whatever is malformed is left out; OpenSSL refuses it anyway. */
  static parse(message: Uint8Array): ClientHello {
    const hello = new ClientHello()
    const reader = new Reader(message, 4, message.length)
    hello.version = reader.number(2)
    reader.skip(32)
    reader.skip(reader.number(1))
    hello.ciphers = reader.vector(2).numbers(2)
    reader.skip(reader.number(1))
    const extensions = reader.vector(2)
    while (extensions.left >= 4) {
      const type = extensions.number(2)
      hello.extensions.push(type)
      hello.#extension(type, extensions.vector(2))
    }
    return hello
  }

  #extension(type: number, body: Reader): void {
    if (type === SERVER_NAME) this.serverName = readName(body.vector(2))
    else if (type === SUPPORTED_GROUPS) this.groups = body.vector(2).numbers(2)
    else if (type === POINT_FORMATS) this.pointFormats = body.vector(1).numbers(1)
    else if (type === SIGNATURE_ALGORITHMS) this.signatures = body.vector(2).numbers(2)
    else if (type === SUPPORTED_VERSIONS) this.versions = body.vector(1).numbers(2)
    else if (type === ALPN) {
      const list = body.vector(2)
      while (list.left > 1) this.protocols.push(list.vector(1).text())
    }
  }
}

function readName(list: Reader): string {
  const type = list.number(1)
  const name = list.vector(2).text().toLowerCase()
  if (type !== 0 || name.length > MAX_NAME_BYTES || !/^[a-z0-9._-]+$/.test(name)) return ''
  return name.endsWith('.') ? name.slice(0, -1) : name
}

/** Reads within bounds: beyond the end everything is 0 and empty. */
class Reader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#end = Math.min(end, bytes.length)
    this.#at = Math.min(start, this.#end)
  }

  get left(): number {
    return this.#end - this.#at
  }

  number(size: number): number {
    let value = 0
    for (let i = 0; i < size; i++) value = value * 256 + (this.#at < this.#end ? this.#bytes[this.#at++] : 0)
    return value
  }

  skip(count: number): void {
    this.#at = Math.min(this.#at + count, this.#end)
  }

  /** What follows a length of `size` bytes. */
  vector(size: number): Reader {
    const length = this.number(size)
    const inner = new Reader(this.#bytes, this.#at, Math.min(this.#at + length, this.#end))
    this.skip(length)
    return inner
  }

  numbers(size: number): number[] {
    const list: number[] = []
    while (this.left >= size) list.push(this.number(size))
    return list
  }

  text(): string {
    return Buffer.from(this.#bytes.subarray(this.#at, this.#end)).toString('latin1')
  }
}
