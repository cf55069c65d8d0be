import { randomInt } from 'node:crypto'
import type { DnsProbePlan } from '../plan.ts'
import { type CheckProtocol, type CheckWire, CLOSED_EARLY, fail, pass, type Verdict } from '../protocol.ts'
import { encodeQuery, readResponse, responseName } from './message.ts'

const DAMAGED = fail('the response is not DNS')
/** Datagrams that answer something else are passed over, but not for ever. */
const MAX_STRANGERS = 64

/** A query over UDP, or over TCP with its length before it (RFC 7766). */
export class DnsCheck implements CheckProtocol {
  readonly #plan: DnsProbePlan
  readonly #query: Buffer
  #message: Buffer = Buffer.alloc(0)
  #strangers = 0

  constructor(plan: DnsProbePlan, id = randomInt(0x10000)) {
    this.#plan = plan
    this.#query = encodeQuery(id, plan.name, plan.type)
  }

  opened(wire: CheckWire): null {
    const length = Uint8Array.of(this.#query.length >> 8, this.#query.length & 255)
    wire.write(this.#plan.transport === 'udp' ? this.#query : Buffer.concat([length, this.#query]))
    return null
  }

  received(bytes: Uint8Array): Verdict | null {
    if (this.#plan.transport === 'udp') {
      const verdict = this.#judge(Buffer.from(bytes))
      return verdict ?? (++this.#strangers > MAX_STRANGERS ? DAMAGED : null)
    }
    // Two bytes of length bound it.
    this.#message = Buffer.concat([this.#message, bytes])
    if (this.#message.length < 2) return null
    const length = this.#message.readUInt16BE(0)
    if (this.#message.length < 2 + length) return null
    return this.#judge(this.#message.subarray(2, 2 + length)) ?? DAMAGED
  }

  ended(): Verdict {
    return CLOSED_EARLY
  }

  #judge(message: Buffer): Verdict | null {
    const { status, answer: wanted } = this.#plan
    const answer = readResponse(message, this.#query, wanted)
    if (answer === undefined) return null
    if (answer === null) return DAMAGED
    const code = responseName(answer.code)
    if (!status.includes(answer.code)) return fail(`${code}, expected ${status.map(responseName).join(', ')}`)
    if (wanted !== undefined && !answer.hasAddress) return fail(`${code}, but ${wanted} is not among the answers`)
    if (answer.code === 0 && answer.count === 0) return fail(`${code}, but no answers`)
    return pass(answer.count === 1 ? `${code}, 1 answer` : `${code}, ${answer.count} answers`)
  }
}
