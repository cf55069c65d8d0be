/**
 * Forwards HTTP/1.1 keep-alive requests over the Engine interface with the least that a proxy can do: it reads both heads and
 * keeps upstream connections. It measures the engine alone; the proxy room is the real thing.
 *
 *   node bench/engine/forwarder.ts uring|portable PORT ORIGIN_PORT
 */
import type { SocketAddress } from '../../src/core/index.ts'
import { type Connection, type ConnectionHandler, createEngine } from '../../src/engine/index.ts'

const [kind, port, originPort] = process.argv.slice(2)
const origin: SocketAddress = { family: 4, host: '127.0.0.1', port: Number(originPort) }
const { engine } = await createEngine(kind === 'portable' ? 'portable' : 'uring')
const { memory } = engine

let headEnd = 0
let contentLength = 0

/** Walks every header line, as a real parser must; leaves the end of the head and the Content-Length above. */
function readHead(start: number, end: number): boolean {
  contentLength = 0
  let at = start
  while (at < end && memory[at] !== 10) at++
  for (at++; at < end; at += 2) {
    if (memory[at] === 13) {
      headEnd = at + 2
      return true
    }
    const name = at
    while (at < end && memory[at] !== 58) at++
    const nameLength = at - name
    for (at++; memory[at] === 32; at++);
    const value = at
    while (at < end && memory[at] !== 13) at++
    if (nameLength === 14 && (memory[name] | 32) === 99)
      for (let k = value; k < at; k++) contentLength = contentLength * 10 + memory[k] - 48
  }
  return false
}

class Upstream implements ConnectionHandler {
  downstream: Downstream | null = null
  readonly connection: Connection
  #remaining = 0

  constructor() {
    this.connection = engine.connect(origin, { timeoutMs: 3000 }, this)
  }

  received(_: Connection, start: number, end: number): void {
    if (this.#remaining === 0) {
      if (!readHead(start, end)) throw new Error('the head came in pieces')
      this.#remaining = headEnd - start + contentLength
    }
    this.#remaining -= end - start
    const client = this.downstream!.connection
    client.send(start, end)
    if (this.#remaining === 0) {
      this.downstream!.upstream = null
      this.downstream = null
      this.connection.resume()
      idle.push(this)
    } else if (client.isCongested) this.connection.pause()
  }

  opened(): void {}
  ended(): void {
    this.connection.close()
  }
  drained(): void {}
  closed(): void {
    const at = idle.indexOf(this)
    if (at !== -1) idle.splice(at, 1)
    this.downstream?.connection.reset()
  }
}

class Downstream implements ConnectionHandler {
  upstream: Upstream | null = null
  readonly connection: Connection

  constructor(connection: Connection) {
    this.connection = connection
  }

  received(_: Connection, start: number, end: number): void {
    if (this.upstream === null) {
      readHead(start, end)
      this.upstream = idle.pop() ?? new Upstream()
      this.upstream.downstream = this
    }
    this.upstream.connection.send(start, end)
  }

  opened(): void {}
  ended(): void {
    this.connection.close()
  }
  drained(): void {
    this.upstream?.connection.resume()
  }
  closed(): void {
    this.upstream?.connection.reset()
  }
}

const idle: Upstream[] = []
await engine.listen({ address: { family: 4, host: '127.0.0.1', port: Number(port) } }, (connection) => new Downstream(connection))
engine.start()
