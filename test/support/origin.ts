import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createRawServer, type ListenOptions, type Server } from 'node:net'
import type { Cleanup } from './cleanup.ts'
import { Wire } from './wire.ts'

export interface Origin {
  readonly port: number
  /** "127.0.0.1:4711", as a configuration wants it. */
  readonly address: string
  /** Connections accepted so far. */
  readonly connectionCount: number
  /** Stops listening and drops every connection, as a server that dies; the port refuses from then on. */
  stop(): Promise<void>
}

export interface SeenRequest {
  readonly method: string
  readonly uri: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly body: string
}

export interface HttpOrigin extends Origin {
  /** Every request that was read to its end, in that order. */
  readonly requests: readonly SeenRequest[]
}

/**
 * An HTTP server of node:http. Without a handler it answers 200 with its name. `answer` runs once the request's body has
 * been read; to act earlier use rawOrigin().
 */
export async function origin(t: Cleanup, name = 'origin', answer?: RequestListener): Promise<HttpOrigin> {
  const requests: SeenRequest[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: uri = '', headers, rawHeaders } = request
      requests.push({ method, uri, headers, rawHeaders, body: Buffer.concat(chunks).toString('latin1') })
      if (answer !== undefined) answer(request, response)
      else response.end(name)
    })
  })
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  const base = await listen(t, server, () => server.closeAllConnections())
  return Object.assign(base, { requests })
}

/**
 * A server of which the test writes every byte: `script` has each connection to itself, with its number counted from 0. A script
 * that throws fails the test through `failure`, unless the connection's end was the cause.
 */
export async function rawOrigin(t: Cleanup, script: (wire: Wire, index: number) => Promise<void>): Promise<RawOrigin> {
  const wires: Wire[] = []
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => {})
  const server = createRawServer({ allowHalfOpen: true }, (socket) => {
    const wire = new Wire(socket)
    const index = wires.push(wire) - 1
    server.emit('wire')
    script(wire, index).catch((error: Error) => {
      socket.destroy()
      if (error.name !== 'WireClosed') failure.reject(error)
    })
  })
  const base = await listen(t, server, () => {
    for (const { socket } of wires) socket.destroy()
  })
  const connection = async (index: number) => {
    while (wires.length <= index) await once(server, 'wire')
    return wires[index]
  }
  return Object.assign(base, { wires, connection, failure: failure.promise })
}

export interface RawOrigin extends Origin {
  readonly wires: readonly Wire[]
  /** The connection of that number, when it is there. */
  connection(index: number): Promise<Wire>
  /** Rejects when a script throws; race it with what the test waits for. */
  readonly failure: Promise<never>
}

/** Reads one request after the other and answers each with the same bytes. */
export function answering(response: string | Uint8Array): (wire: Wire) => Promise<void> {
  return async (wire) => {
    for (;;) {
      await wire.readRequest()
      await wire.write(response)
    }
  }
}

/** A port of 127.0.0.1 where nothing listens: connecting is refused. */
export async function refusedPort(): Promise<number> {
  const server = createRawServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function listen(
  t: Cleanup,
  server: Server,
  dropAll: () => void,
  options: ListenOptions = { host: '127.0.0.1', port: 0 },
): Promise<Origin> {
  let connectionCount = 0
  server.on('connection', () => connectionCount++)
  server.listen(options)
  await once(server, 'listening')
  const stop = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    dropAll()
    await closed
  }
  t.after(stop)
  const { port } = server.address() as AddressInfo
  return {
    port,
    address: `127.0.0.1:${port}`,
    get connectionCount() {
      return connectionCount
    },
    stop,
  }
}
