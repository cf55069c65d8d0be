import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect as netConnect, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { SocketAddress } from '../../src/core/index.ts'

/** How a socket of node:net came to its end, as its owner sees it. */
export type Ending = 'end' | 'ECONNRESET' | 'EPIPE' | string

/** A socket of node:net with what happened on it: the independent witness of what an engine does on the wire. */
export class Witness {
  readonly socket: Socket
  byteCount = 0
  hasEnded = false
  error: string | undefined
  isClosed = false
  #chunks: Buffer[] = []
  #waiting: { condition: () => boolean; wake: () => void }[] = []

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code ?? error.message
    })
    socket.on('end', () => {
      this.hasEnded = true
      this.#wake()
    })
    socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  /** Begins to read; without this the socket is a peer that does not. */
  read(onBytes: (chunk: Buffer) => void = (chunk) => this.#chunks.push(chunk)): this {
    this.socket.on('data', (chunk: Buffer) => {
      this.byteCount += chunk.length
      onBytes(chunk)
      this.#wake()
    })
    return this
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  get text(): string {
    return this.bytes.toString('latin1')
  }

  async until(condition: () => boolean): Promise<void> {
    if (!condition()) await new Promise<void>((wake) => this.#waiting.push({ condition, wake }))
  }

  gets(count: number): Promise<void> {
    return this.until(() => this.byteCount >= count)
  }

  ended(): Promise<void> {
    return this.until(() => this.hasEnded)
  }

  /** Resolves when the socket is closed: undefined, or the code of the error that closed it. */
  async closed(): Promise<string | undefined> {
    await this.until(() => this.isClosed)
    return this.error
  }

  #wake(): void {
    const ready = this.#waiting.filter(({ condition }) => condition())
    this.#waiting = this.#waiting.filter((each) => !ready.includes(each))
    for (const { wake } of ready) wake()
  }
}

/** Connects with half-open allowed and does not read yet. The socket is destroyed when the test is over. */
export async function witness(t: TestContext, address: SocketAddress): Promise<Witness> {
  const one = start(t, address)
  await new Promise<void>((resolve, reject) => {
    one.socket.once('connect', resolve)
    one.socket.once('error', reject)
  })
  return one
}

/** A client that reads from the beginning, and may fail to connect. */
export function dial(t: TestContext, address: SocketAddress): Witness {
  return start(t, address).read()
}

function start(t: TestContext, address: SocketAddress): Witness {
  const target = address.family === 'unix' ? { path: nodePath(address.path) } : { host: address.host, port: address.port }
  const socket = netConnect({ ...target, allowHalfOpen: true, noDelay: true })
  t.after(() => socket.destroy())
  return new Witness(socket)
}

export interface WitnessServer {
  readonly server: Server
  readonly address: SocketAddress
  readonly sockets: Witness[]
  /** Resolves with the connection of that number, counted from 0, when it is there. */
  connection(index: number): Promise<Witness>
}

/** A server of node:net. `onSocket` runs at once for each connection. */
export async function witnessServer(
  t: TestContext,
  asked: SocketAddress = { family: 4, host: '127.0.0.1', port: 0 },
  onSocket: (witness: Witness) => void = () => {},
): Promise<WitnessServer> {
  const sockets: Witness[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const one = new Witness(socket)
    sockets.push(one)
    onSocket(one)
    server.emit('witness')
  })
  const where = asked.family === 'unix' ? { path: nodePath(asked.path) } : { host: asked.host, port: asked.port }
  server.listen({ ...where, backlog: 4096 })
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const { socket } of sockets) socket.destroy()
  })
  const bound = server.address()
  const address = asked.family === 'unix' || bound === null || typeof bound === 'string' ? asked : { ...asked, port: bound.port }
  const connection = async (index: number) => {
    while (sockets.length <= index) await once(server, 'witness')
    return sockets[index]
  }
  return { server, address, sockets, connection }
}

/** A path for a Unix socket that is removed after the test. */
export function socketFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'evener-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'socket')
}

function nodePath(path: string): string {
  return path.startsWith('@') ? `\0${path.slice(1)}` : path
}
