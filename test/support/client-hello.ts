/** Builds ClientHellos by hand, so that tests can make them wrong. */

export interface HelloOptions {
  readonly name?: string
  readonly protocols?: readonly string[]
  /** More extensions: type and body. */
  readonly extensions?: readonly (readonly [number, Uint8Array])[]
  /** Bytes in each record; one record without this. */
  readonly recordBytes?: number
  /** A hello as before extensions were invented. */
  readonly isBare?: boolean
}

/** What a client sends first: the message in its records. */
export function clientHello(options: HelloOptions = {}): Buffer {
  return records(helloMessage(options), options.recordBytes)
}

/** The handshake message without records. */
export function helloMessage({ name, protocols, extensions = [], isBare }: HelloOptions): Buffer {
  const all = [...extensions]
  if (name !== undefined) all.push([0, vector(2, Buffer.concat([Buffer.from([0]), vector(2, Buffer.from(name, 'latin1'))]))])
  if (protocols !== undefined) all.push([16, vector(2, Buffer.concat(protocols.map((each) => vector(1, Buffer.from(each, 'latin1')))))])
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32, 8)),
    vector(2, Buffer.from([0x13, 0x01, 0x13, 0x02])),
    vector(1, Buffer.from([0])),
    isBare ? Buffer.alloc(0) : vector(2, Buffer.concat(all.map(([type, bytes]) => Buffer.concat([number(2, type), vector(2, bytes)])))),
  ])
  return Buffer.concat([Buffer.from([1]), number(3, body.length), body])
}

export function records(message: Uint8Array, recordBytes = 16_384): Buffer {
  const list: Buffer[] = []
  for (let at = 0; at < message.length; at += recordBytes) {
    const part = message.subarray(at, at + recordBytes)
    list.push(Buffer.concat([Buffer.from([22, 3, 1]), number(2, part.length), part]))
  }
  return Buffer.concat(list)
}

function vector(size: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([number(size, bytes.length), bytes])
}

function number(size: number, value: number): Buffer {
  const bytes = Buffer.alloc(size)
  bytes.writeUIntBE(value, 0, size)
  return bytes
}
