import { AnswerMatch, describePattern } from './answer-match.ts'
import type { ExchangeProbePlan } from './plan.ts'
import { type CheckProtocol, type CheckWire, CLOSED_EARLY, fail, pass, quote, type Verdict } from './protocol.ts'

/**
 * tcp, tls and udp: success is the connection, or the answer where one is expected. A regular expression is tried with the first
 * MAX_TRIALS pieces that come, because a server that keeps the connection open never says that its answer is over, and once
 * more at the end: a server that sends byte by byte must not cost a search for each.
 *
 * A datagram opens no connection. Without an expected answer any answer will do, and none too: what a closed port
 * sends back is an error before the time is over.
 */
export class ExchangeCheck implements CheckProtocol {
  readonly #plan: ExchangeProbePlan
  readonly #match: AnswerMatch | null
  #begin = ''
  #trials = 0

  constructor(plan: ExchangeProbePlan) {
    this.#plan = plan
    this.#match = plan.expect === undefined ? null : new AnswerMatch(plan.expect)
  }

  opened(wire: CheckWire): Verdict | null {
    const { kind, send, expect } = this.#plan
    if (send !== undefined) wire.write(Buffer.from(send.value, send.encoding))
    if (expect !== undefined || kind === 'udp') return null
    return pass(kind === 'tls' ? 'the handshake is done' : 'connected')
  }

  received(bytes: Uint8Array): Verdict | null {
    if (this.#match === null) return pass('an answer came')
    if (this.#begin.length < BEGIN) this.#begin += Buffer.from(bytes.subarray(0, BEGIN)).toString('latin1')
    const isDue = this.#trials++ < MAX_TRIALS || this.#match.isFull
    if (this.#match.add(bytes) || (isDue && this.#match.isFound())) return FOUND
    return this.#match.isFull ? this.#judge('the answer') : null
  }

  ended(): Verdict {
    return this.#match === null ? CLOSED_EARLY : this.#judge('connection closed, and the answer')
  }

  expired(): Verdict | null {
    if (this.#match !== null) return this.#begin === '' ? null : this.#judge('until the time-out the answer')
    return this.#plan.kind === 'udp' ? pass('no answer, and no error') : null
  }

  #judge(what: string): Verdict {
    if (this.#match?.isFound()) return FOUND
    const { expect } = this.#plan
    const wanted = expect === undefined ? '' : describePattern(expect)
    if (this.#begin === '') return fail(`${what} is empty, expected ${wanted}`)
    return fail(`${what} ${quote(this.#begin)} does not contain ${wanted}`)
  }
}

const BEGIN = 128
const MAX_TRIALS = 16
const FOUND = pass('the answer matches')
