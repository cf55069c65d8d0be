import type { BodyJudge } from '../check/http.ts'
import { fail, pass, type Verdict } from '../check/protocol.ts'
import type { AdminName } from '../state.ts'
import type { AgentReport } from './report.ts'

const MAX_BYTES = 64 * 1024

/** The body of an agent's answer: at most 64 KiB of JSON. */
export class AgentDocument implements BodyJudge {
  /** null until the answer is there. */
  report: AgentReport | null = null
  readonly #pieces: Buffer[] = []
  #length = 0

  get isFull(): boolean {
    return this.#length > MAX_BYTES
  }

  add(piece: Uint8Array): boolean {
    this.#length += piece.length
    if (!this.isFull) this.#pieces.push(Buffer.from(piece))
    return false
  }

  judge(): Verdict {
    if (this.isFull) return fail(`a document of more than ${MAX_BYTES} bytes`)
    const report = readAgentDocument(Buffer.concat(this.#pieces).toString('utf8'))
    if (typeof report === 'string') return fail(report)
    this.report = report
    return pass('')
  }
}

/**
 * All that is not in it is as without an agent; keys that are not known are passed over. What is wrong comes back in words.
 *
 *   { "cpu": 37.5, "memory": 61, "connections": 120, "maxConnections": 1000,     percent in use; and how many it can take
 *     "weight": 100, "limit": 0, "admin": "ready", "health": "up", "reason": "" }
 */
export function readAgentDocument(text: string): AgentReport | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'the document is not JSON'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'the document is not a JSON object'
  const document = value as Record<string, unknown>
  const wrong = Object.entries(RULES).find(([key, rule]) => document[key] !== undefined && !rule.accepts(document[key]))
  if (wrong !== undefined) return `"${wrong[0]}" is ${wrong[1].expected}`
  if (!Object.keys(RULES).some((key) => document[key] !== undefined)) return 'the document says nothing of the server'
  const known = document as KnownDocument
  return {
    isDown: known.health === 'down',
    admin: known.admin ?? 'ready',
    weightPercent: known.weight ?? 100,
    capacityPercent: capacityOf(known),
    limit: known.limit ?? 0,
    description: known.reason ?? '',
  }
}

interface KnownDocument {
  readonly cpu?: number
  readonly memory?: number
  readonly connections?: number
  readonly maxConnections?: number
  readonly weight?: number
  readonly limit?: number
  readonly admin?: AdminName
  readonly health?: 'up' | 'down'
  readonly reason?: string
}

interface Rule {
  readonly expected: string
  accepts(value: unknown): boolean
}

const PERCENT: Rule = { expected: 'a number from 0 to 100', accepts: (value) => typeof value === 'number' && value >= 0 && value <= 100 }
const COUNT: Rule = {
  expected: 'a whole number from 0 to 1000000000',
  accepts: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 1e9,
}
const oneOf = (...words: string[]): Rule => ({
  expected: `one of ${words.map((word) => `"${word}"`).join(', ')}`,
  accepts: (value) => words.includes(value as string),
})

const RULES: Readonly<Record<keyof KnownDocument, Rule>> = {
  cpu: PERCENT,
  memory: PERCENT,
  connections: COUNT,
  maxConnections: COUNT,
  weight: PERCENT,
  limit: COUNT,
  admin: oneOf('ready', 'drain', 'maintenance'),
  health: oneOf('up', 'down'),
  reason: { expected: 'text', accepts: (value) => typeof value === 'string' },
}

/** What is left of the scarcest. */
function capacityOf({ cpu = 0, memory = 0, connections = 0, maxConnections = 0 }: KnownDocument): number {
  const connected = maxConnections === 0 ? 0 : (connections / maxConnections) * 100
  return Math.max(0, Math.round(100 - Math.max(cpu, memory, connected)))
}
