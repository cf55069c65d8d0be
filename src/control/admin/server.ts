import { createHash, timingSafeEqual } from 'node:crypto'
import { rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { formatAddress, type SocketAddress } from '../../core/index.ts'
import type { AdminPlan } from '../config.ts'
import { listenError } from '../ports.ts'

const MAX_BODY_BYTES = 64 * 1024

/** An answer of the admin API. `text` is sent as it is, anything else in `json`. */
export interface AdminAnswer {
  readonly status: number
  readonly json?: unknown
  readonly text?: string
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface AdminRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  /** The parsed JSON body; undefined where there is none. */
  readonly body: unknown
}

/** Answers a request; undefined where there is no such resource. */
export type AdminHandler = (request: AdminRequest) => Promise<AdminAnswer | undefined> | AdminAnswer | undefined

/** Paths that probes and scrapers may ask without the token. */
const OPEN_PATHS = new Set(['/healthz', '/readyz'])

/** The admin endpoint: HTTP with JSON, on an address of its own, in the control thread. */
export class AdminServer {
  readonly #plan: AdminPlan
  readonly #handler: AdminHandler
  readonly #server: Server
  #bound: SocketAddress | null = null

  constructor(plan: AdminPlan, handler: AdminHandler) {
    this.#plan = plan
    this.#handler = handler
    this.#server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 30_000 }, (request, response) => {
      void this.#answer(request, response)
    })
    this.#server.maxConnections = 256
  }

  get address(): string {
    return formatAddress(this.#bound ?? this.#plan.bind)
  }

  /** Rejects with EvenerError LISTEN_*. */
  async listen(): Promise<void> {
    const bind = this.#plan.bind
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => reject(listenError(bind, error)))
      if (bind.family === 'unix') this.#server.listen(bind.path, resolve)
      else this.#server.listen(bind.port, bind.host, resolve)
    })
    if (bind.family !== 'unix') this.#bound = { ...bind, port: (this.#server.address() as AddressInfo).port }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
    if (this.#plan.bind.family === 'unix') rmSync(this.#plan.bind.path, { force: true })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: AdminAnswer
    try {
      answer = await this.#handle(request)
    } catch (error) {
      answer = failure(500, 'internal', error instanceof Error ? error.message : String(error))
    }
    const isText = answer.text !== undefined
    const body = isText ? (answer.text as string) : `${JSON.stringify(answer.json, null, 2)}\n`
    response.writeHead(answer.status, {
      'content-type': answer.contentType ?? (isText ? 'text/plain; charset=utf-8' : 'application/json'),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...answer.headers,
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  async #handle(request: IncomingMessage): Promise<AdminAnswer> {
    if (!URL.canParse(request.url ?? '/', 'http://admin')) return failure(400, 'invalid-target', 'The target of the request is no URL.')
    const url = new URL(request.url ?? '/', 'http://admin')
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET')
    if (!OPEN_PATHS.has(url.pathname) && !this.#isAllowed(request)) {
      return { ...failure(401, 'unauthorized', 'The admin endpoint asks for a token.'), headers: { 'www-authenticate': 'Bearer' } }
    }
    if (method !== 'GET' && !isSameOrigin(request)) return failure(403, 'cross-origin', 'Requests from other web pages are refused.')
    let body: unknown
    if (method !== 'GET') {
      const text = await readBody(request)
      if (text === undefined) return failure(413, 'body-too-large', `A body has at most ${MAX_BODY_BYTES} bytes.`)
      try {
        body = text === '' ? undefined : JSON.parse(text)
      } catch (error) {
        return failure(400, 'invalid-json', `The body is not JSON: ${(error as Error).message}`)
      }
    }
    const answer = await this.#handler({ method, path: url.pathname, query: url.searchParams, body })
    return answer ?? failure(404, 'not-found', `There is no ${method} ${url.pathname}.`)
  }

  #isAllowed(request: IncomingMessage): boolean {
    const token = this.#plan.token
    if (token === undefined) return isLocalHost(request)
    const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
    // Compared as digests, so that neither length nor content leak through time.
    return timingSafeEqual(createHash('sha256').update(given).digest(), createHash('sha256').update(token).digest())
  }
}

export function failure(status: number, code: string, message: string): AdminAnswer {
  return { status, json: { error: { code, message } } }
}

/**
 * Without a token the endpoint is on loopback, and a web page could still reach it through a name that it points there
 * (DNS rebinding): only names of this machine are answered.
 */
function isLocalHost(request: IncomingMessage): boolean {
  const host = (request.headers.host ?? 'localhost').replace(/:\d+$/, '').toLowerCase()
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** A page of another origin cannot send JSON without asking first, and may not send anything here. */
function isSameOrigin(request: IncomingMessage): boolean {
  const origin = request.headers.origin
  if (origin === undefined) return true
  return URL.canParse(origin) && new URL(origin).host === request.headers.host
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
