import { type Connection, type ConnectionHandler, type Engine, NO_CHALLENGES, type TlsChallenges } from '../engine/index.ts'
import { METHOD } from '../http/index.ts'
import { answer, contentTypeLine, type LocalAnswer } from './answer.ts'
import { DONE, type Exchange, GO_ON } from './exchange.ts'
import { literal } from './literal.ts'

const PREFIX = literal('/.well-known/acme-challenge/')
const CONTENT_TYPE = contentTypeLine('application/octet-stream')

/** What an authority is answered that looks whether names are ours. Plain data, the same for all workers. */
export interface ChallengeAnswers {
  /** http-01: key authorizations by token. */
  readonly http: Readonly<Record<string, string>>
  /** tls-alpn-01: certificates and keys (PEM) by name. */
  readonly tls: Readonly<Record<string, { readonly chain: string; readonly key: string }>>
}

/** The same for a worker. */
export class Challenges {
  readonly #http: ReadonlyMap<string, LocalAnswer>
  readonly tls: TlsChallenges

  constructor({ http, tls }: ChallengeAnswers) {
    const bodies = Object.entries(http).map(([token, text]): [string, LocalAnswer] => {
      return [token, { status: 200, fieldLines: CONTENT_TYPE, body: new Uint8Array(Buffer.from(text)) }]
    })
    this.#http = new Map(bodies)
    this.tls = Object.keys(tls).length === 0 ? NO_CHALLENGES : new Map(Object.entries(tls))
  }

  /** Whether requests have to be looked at. */
  get hasHttp(): boolean {
    return this.#http.size > 0
  }

  find(token: string): LocalAnswer | undefined {
    return this.#http.get(token)
  }
}

/** A step that is in the path only while there are answers. A token that nobody knows goes on to the routes. */
export function answerChallenge(exchange: Exchange): number {
  const { request, worker } = exchange
  if (request.method !== METHOD.GET && request.method !== METHOD.HEAD) return GO_ON
  const { pathStart, pathEnd } = request
  if (request.hasQuery || pathEnd - pathStart <= PREFIX.length) return GO_ON
  const { memory } = worker.engine
  for (let i = 0; i < PREFIX.length; i++) if (memory[pathStart + i] !== PREFIX[i]) return GO_ON
  const token = Buffer.from(memory.subarray(pathStart + PREFIX.length, pathEnd)).toString('latin1')
  const found = worker.challenges.find(token)
  if (found === undefined) return GO_ON
  answer(exchange, found)
  return DONE
}

/** Owner of a connection whose handshake was the answer (RFC 8737 §4): it is closed at once. */
export class AnsweredChallenge implements ConnectionHandler {
  readonly #closed: () => void

  constructor(engine: Engine, connection: Connection, closed: () => void) {
    this.#closed = closed
    // It has its owner only when this returns.
    engine.defer(() => connection.close())
  }

  opened(): void {}
  received(): void {}
  ended(): void {}
  drained(): void {}

  closed(): void {
    this.#closed()
  }
}
