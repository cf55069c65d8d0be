import { type CheckProtocol, type CheckWire, CLOSED_EARLY, fail, pass, quote, type Verdict } from '../check/protocol.ts'
import type { AgentReport } from './report.ts'

const MAX_LINE_BYTES = 1024

/**
 * HAProxy's agent-check protocol: one line of words between blanks or commas, which ends at CR, LF or the end of the connection.
 *
 *   75%   drain   maint   ready   up   down   fail   failed   stopped   maxconn:20   # and why
 */
export class AgentText implements CheckProtocol {
  /** null until the answer is there. */
  report: AgentReport | null = null
  readonly #send: string
  #text = ''

  constructor(send: string) {
    this.#send = send
  }

  opened(wire: CheckWire): null {
    if (this.#send !== '') wire.write(Buffer.from(this.#send))
    return null
  }

  received(bytes: Uint8Array): Verdict | null {
    this.#text += Buffer.from(bytes.subarray(0, MAX_LINE_BYTES + 1)).toString('latin1')
    const end = this.#text.search(/[\r\n]/)
    if (end >= 0 && end <= MAX_LINE_BYTES) return this.#read(this.#text.slice(0, end))
    return this.#text.length > MAX_LINE_BYTES ? fail(`a line of more than ${MAX_LINE_BYTES} bytes`) : null
  }

  ended(): Verdict {
    return this.#text === '' ? CLOSED_EARLY : this.#read(this.#text)
  }

  #read(line: string): Verdict {
    const report = readAgentLine(line)
    if (report === undefined) return fail(`${quote(line)} is no answer of an agent`)
    this.report = report
    return pass('')
  }
}

/** Words that are not known are passed over; undefined where there is no other. */
export function readAgentLine(line: string): AgentReport | undefined {
  const sharp = line.indexOf('#')
  const description = sharp < 0 ? '' : line.slice(sharp + 1).trim()
  const words = (sharp < 0 ? line : line.slice(0, sharp)).split(/[ \t,]+/)
  const said = words.map(readWord).filter((part) => part !== undefined)
  return said.length === 0 ? undefined : Object.assign({ description }, ...said)
}

function readWord(word: string): Omit<AgentReport, 'description'> | undefined {
  const [, percent] = /^(\d{1,9})%$/.exec(word) ?? []
  if (percent !== undefined) return { weightPercent: Math.min(100, Number(percent)) }
  const [, limit] = /^maxconn:(\d{1,9})$/.exec(word) ?? []
  if (limit !== undefined) return { limit: Number(limit) }
  switch (word.toLowerCase()) {
    case 'ready':
      return { admin: 'ready' }
    case 'drain':
      return { admin: 'drain' }
    case 'maint':
      return { admin: 'maintenance' }
    case 'up':
      return { isDown: false }
    case 'down':
    case 'fail':
    case 'failed':
    case 'stopped':
      return { isDown: true }
    default:
      return undefined
  }
}
