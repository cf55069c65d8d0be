import type { Socket } from 'node:net'

/** A field of a message as it stood on the wire, the name as it was written. */
export type WireField = readonly [name: string, value: string]

/** Both ends of a test speak through this: it sends any bytes and reads messages strictly. Not for speed. */
export interface WireMessage {
  /** Request line or status line without CRLF. */
  readonly startLine: string
  readonly fields: readonly WireField[]
  readonly body: Buffer
  readonly trailers: readonly WireField[]
  /** The whole head as received, with its empty line. */
  readonly head: string
}

export interface WireRequest extends WireMessage {
  readonly method: string
  readonly target: string
  readonly version: string
}

export interface WireResponse extends WireMessage {
  readonly version: string
  readonly status: number
  readonly reason: string
}

/** Every value of a field, compared without case. */
export function fieldValues(message: WireMessage, name: string): string[] {
  return message.fields.filter(([one]) => one.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
}

/** The value of a field that may be there once; more than once is an error of the test's subject. */
export function fieldValue(message: WireMessage, name: string): string | undefined {
  const values = fieldValues(message, name)
  if (values.length > 1) throw new Error(`${name} is there ${values.length} times: ${values.join(' | ')}`)
  return values[0]
}

/** The peer closed before what was waited for had come; `received` is what had. */
export class WireClosed extends Error {
  readonly received: string

  constructor(waitedFor: string, received: string, error: string | undefined) {
    super(
      `the connection ${error === undefined ? 'closed' : `failed with ${error}`} before ${waitedFor}; received ${JSON.stringify(received)}`,
    )
    this.name = 'WireClosed'
    this.received = received
  }
}

/**
 * One TCP connection, seen from either side. Reads wait for bytes, never for time; what was read is consumed. After the
 * peer's FIN or a reset, a read that still waits rejects with WireClosed.
 */
export class Wire {
  readonly socket: Socket
  #pending: Buffer = Buffer.alloc(0)
  #wake: (() => void)[] = []
  #hasEnded = false
  #isClosed = false
  #error: string | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
      this.#changed()
    })
    socket.on('end', () => {
      this.#hasEnded = true
      this.#changed()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error.code ?? error.message
    })
    socket.on('close', () => {
      this.#hasEnded = this.#isClosed = true
      this.#changed()
    })
  }

  /** Bytes received and not yet consumed. */
  get pending(): string {
    return this.#pending.toString('latin1')
  }

  /** Writes as it stands; a string is Latin-1, so that "\xff" is one byte. Resolves when the kernel has taken it. */
  write(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => resolve()))
  }

  /** Each piece in a write of its own, the next when the kernel has taken the one before. */
  async writeSlowly(bytes: string | Uint8Array, pieceBytes = 1): Promise<void> {
    const all = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    for (let i = 0; i < all.length; i += pieceBytes) {
      await this.write(all.subarray(i, i + pieceBytes))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** FIN; reading goes on. */
  end(): void {
    this.socket.end()
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** Stops reading, so that the peer's writes fill the kernel's buffers. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Exactly `count` bytes. */
  async read(count: number): Promise<Buffer> {
    await this.#until(() => this.#pending.length >= count, `${count} bytes`)
    return this.#take(count)
  }

  /** Up to and including `mark`. */
  async readUntil(mark: string): Promise<string> {
    let at = -1
    await this.#until(() => (at = this.#pending.indexOf(mark, 0, 'latin1')) !== -1, JSON.stringify(mark))
    return this.#take(at + mark.length).toString('latin1')
  }

  /** Everything to the peer's FIN; rejects when the connection was reset instead. */
  async readToEnd(): Promise<Buffer> {
    await this.#until(() => this.#hasEnded, 'its end', true)
    if (this.#error !== undefined) throw new WireClosed('its end', this.pending, this.#error)
    return this.#take(this.#pending.length)
  }

  /** Resolves when the connection is over: undefined after FIN, else the code of the error (ECONNRESET). Bytes that come are dropped. */
  async closed(): Promise<string | undefined> {
    await this.#until(() => this.#hasEnded, 'its end', true)
    this.socket.end()
    await this.#until(() => this.#isClosed, 'its close', true)
    return this.#error
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  async readRequest(): Promise<WireRequest> {
    const message = await this.#readHead()
    const [method, target, version, ...rest] = message.startLine.split(' ')
    if (rest.length > 0 || version === undefined) throw new Error(`malformed request line ${JSON.stringify(message.startLine)}`)
    const body = await this.#readBody(message, 'none')
    return { ...message, ...body, method, target, version }
  }

  /** The final response to a request of that method. 1xx before it are put in `interim`, if that is given, else refused. */
  async readResponse(method = 'GET', interim?: WireResponse[]): Promise<WireResponse> {
    for (;;) {
      const message = await this.#readHead()
      const parts = /^(HTTP\/1\.[01]) (\d{3}) ?(.*)$/.exec(message.startLine)
      if (parts === null) throw new Error(`malformed status line ${JSON.stringify(message.startLine)}`)
      const status = Number(parts[2])
      const about = { version: parts[1], status, reason: parts[3] }
      if (status === 101) return { ...message, ...about }
      if (status < 200) {
        if (interim === undefined) throw new Error(`unexpected interim response ${message.startLine}`)
        interim.push({ ...message, ...about })
        continue
      }
      const isEmpty = method === 'HEAD' || status === 204 || status === 304
      return { ...message, ...(isEmpty ? {} : await this.#readBody(message, 'until-close')), ...about }
    }
  }

  async #readHead(): Promise<WireMessage> {
    const head = await this.readUntil('\r\n\r\n')
    const [startLine, ...lines] = head.slice(0, -4).split('\r\n')
    return { startLine, fields: lines.map(parseField), body: Buffer.alloc(0), trailers: [], head }
  }

  async #readBody(message: WireMessage, without: 'none' | 'until-close'): Promise<{ body: Buffer; trailers: WireField[] }> {
    const coding = fieldValue(message, 'transfer-encoding')
    const length = fieldValue(message, 'content-length')
    if (coding !== undefined) {
      if (coding.toLowerCase() !== 'chunked') throw new Error(`unknown Transfer-Encoding ${coding}`)
      if (length !== undefined) throw new Error('Transfer-Encoding beside Content-Length')
      return this.#readChunks()
    }
    if (length !== undefined) {
      if (!/^\d+$/.test(length)) throw new Error(`malformed Content-Length ${JSON.stringify(length)}`)
      return { body: await this.read(Number(length)), trailers: [] }
    }
    return { body: without === 'none' ? Buffer.alloc(0) : await this.readToEnd(), trailers: [] }
  }

  async #readChunks(): Promise<{ body: Buffer; trailers: WireField[] }> {
    const chunks: Buffer[] = []
    for (;;) {
      const line = (await this.readUntil('\r\n')).slice(0, -2)
      if (!/^[0-9a-fA-F]+(;.*)?$/.test(line)) throw new Error(`malformed chunk size ${JSON.stringify(line)}`)
      const size = Number.parseInt(line, 16)
      if (size === 0) break
      chunks.push(await this.read(size))
      if ((await this.read(2)).toString('latin1') !== '\r\n') throw new Error('no CRLF after a chunk')
    }
    const trailers: WireField[] = []
    for (;;) {
      const line = (await this.readUntil('\r\n')).slice(0, -2)
      if (line === '') return { body: Buffer.concat(chunks), trailers }
      trailers.push(parseField(line))
    }
  }

  #take(count: number): Buffer {
    const bytes = this.#pending.subarray(0, count)
    this.#pending = this.#pending.subarray(count)
    return bytes
  }

  async #until(condition: () => boolean, waitedFor: string, isEndExpected = false): Promise<void> {
    while (!condition()) {
      if (this.#hasEnded && !isEndExpected) throw new WireClosed(waitedFor, this.pending, this.#error)
      await new Promise<void>((wake) => this.#wake.push(wake))
    }
  }

  #changed(): void {
    const wake = this.#wake
    this.#wake = []
    for (const one of wake) one()
  }
}

function parseField(line: string): WireField {
  const colon = line.indexOf(':')
  if (colon <= 0) throw new Error(`malformed field ${JSON.stringify(line)}`)
  return [line.slice(0, colon), line.slice(colon + 1).trim()]
}
