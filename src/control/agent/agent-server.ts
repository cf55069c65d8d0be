import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { formatAddress, type SocketAddress } from '../../core/index.ts'
import { listenError } from '../ports.ts'
import { answerDocument, answerLine, NO_WISH, readWish, type Wish } from './answers.ts'
import { Machine } from './machine.ts'

export interface AgentOptions {
  /** Where text and JSON are served; undefined for not at all. */
  readonly text: SocketAddress | undefined
  readonly http: SocketAddress | undefined
  /** Connections that the machine can take; 0 where they are no limit. */
  readonly maxConnections: number
  /** File whose first line says what the machine's operator wants: "drain # deploy". Read for each answer; it need not be there. */
  readonly stateFile: string | undefined
  warn(message: string): void
}

/** Balancers ask every other second, over a new connection each time. */
const MAX_CLIENTS = 64
const CLIENT_TIMEOUT_MS = 5000
const SAMPLE_MS = 1000

/** `evener agent`: tells balancers how this machine is. */
export class AgentServer {
  /** Where it listens: "text on 0.0.0.0:9901". */
  readonly addresses: string[] = []
  readonly #options: AgentOptions
  readonly #machine = new Machine()
  readonly #servers: Server[] = []
  #timer: NodeJS.Timeout | undefined
  #warned = ''

  private constructor(options: AgentOptions) {
    this.#options = options
  }

  /** Rejects with an EvenerError, and then nothing is left running. */
  static async start(options: AgentOptions): Promise<AgentServer> {
    const agent = new AgentServer(options)
    try {
      if (options.text !== undefined) await agent.#listen('text', agent.#textServer(), options.text)
      if (options.http !== undefined) await agent.#listen('json', agent.#httpServer(), options.http)
    } catch (error) {
      agent.close()
      throw error
    }
    agent.#timer = setInterval(() => agent.#machine.sample(), SAMPLE_MS)
    return agent
  }

  close(): void {
    clearInterval(this.#timer)
    for (const server of this.#servers) server.close()
  }

  #textServer(): Server {
    return createServer((socket) => {
      socket.on('error', () => {})
      socket.setTimeout(CLIENT_TIMEOUT_MS, () => socket.destroy())
      // What HAProxy's "agent-send" sends is read and dropped: unread bytes would turn the end into a reset.
      socket.resume()
      socket.end(answerLine(this.#machine.load, this.#options.maxConnections, this.#wish()))
    })
  }

  #httpServer(): Server {
    const server = createHttpServer({ headersTimeout: CLIENT_TIMEOUT_MS, requestTimeout: CLIENT_TIMEOUT_MS }, (request, response) => {
      request.resume()
      response.setHeader('Connection', 'close')
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.writeHead(405, { Allow: 'GET, HEAD' }).end()
        return
      }
      response.setHeader('Content-Type', 'application/json')
      response.setHeader('Cache-Control', 'no-store')
      response.end(answerDocument(this.#machine.load, this.#options.maxConnections, this.#wish()))
    })
    return server
  }

  async #listen(what: string, server: Server, address: SocketAddress): Promise<void> {
    server.maxConnections = MAX_CLIENTS
    this.#servers.push(server)
    server.listen(address.family === 'unix' ? { path: address.path } : { host: address.host, port: address.port })
    try {
      await once(server, 'listening')
    } catch (error) {
      throw listenError(address, error as NodeJS.ErrnoException)
    }
    const bound = address.family === 'unix' ? address : { ...address, port: (server.address() as AddressInfo).port }
    this.addresses.push(`${what} on ${formatAddress(bound)}`)
  }

  /** A file that cannot be understood is told once for each text, and says nothing. */
  #wish(): Wish {
    const { stateFile, warn } = this.#options
    if (stateFile === undefined) return NO_WISH
    let text: string
    try {
      text = readFileSync(stateFile, 'utf8').slice(0, 1024)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NO_WISH
      text = ''
      this.#warn(`${stateFile} cannot be read: ${(error as NodeJS.ErrnoException).code}`, warn)
    }
    const wish = readWish(text)
    if (wish === undefined)
      this.#warn(`${stateFile} has no word that an agent can say: drain, maint, ready, down, up, 50%, maxconn:20`, warn)
    return wish ?? NO_WISH
  }

  #warn(message: string, warn: (message: string) => void): void {
    if (message === this.#warned) return
    this.#warned = message
    warn(message)
  }
}
