import { LineCheck, notThe } from './line-check.ts'
import type { RedisProbePlan } from './plan.ts'
import { type CheckWire, fail, pass, quote, type Verdict } from './protocol.ts'

/** What ROLE calls them. */
const ROLES = { primary: 'master', replica: 'slave' } as const

/** Redis and Valkey, RESP 2: AUTH where there is a password, then PING, or ROLE where a role is demanded. */
export class RedisCheck extends LineCheck {
  readonly #plan: RedisProbePlan
  #command: 'AUTH' | 'PING' | 'ROLE' = 'PING'
  #role = ''

  constructor(plan: RedisProbePlan) {
    super()
    this.#plan = plan
  }

  opened(wire: CheckWire): null {
    const { user, password } = this.#plan
    if (password === undefined) return this.#ask(wire)
    return this.#send(wire, 'AUTH', ...(user === undefined ? [password] : [user, password]))
  }

  protected line(text: string, wire: CheckWire): Verdict | null {
    if (text.startsWith('-')) return fail(`the answer to ${this.#command} is ${quote(text.slice(1))}`)
    if (this.#command === 'ROLE') return this.#readRole(text)
    if (!text.startsWith('+')) return notThe('Redis', text)
    if (this.#command === 'AUTH') return this.#ask(wire)
    return text === '+PONG' ? pass('PONG') : fail(`the answer to PING is ${quote(text)}`)
  }

  /** "*3", "$6", "master", and what is of no interest. */
  #readRole(text: string): Verdict | null {
    if (this.#role === '*$') return this.#judge(text)
    const mark = text.slice(0, 1)
    if (this.#role + mark !== '*' && this.#role + mark !== '*$') return notThe('Redis', text)
    this.#role += mark
    return null
  }

  #judge(role: string): Verdict {
    const wanted = this.#plan.role === 'replica' ? ROLES.replica : ROLES.primary
    return role === wanted ? pass(`the role is ${role}`) : fail(`the role is ${quote(role)}, expected "${wanted}"`)
  }

  #ask(wire: CheckWire): null {
    return this.#send(wire, this.#plan.role === 'any' ? 'PING' : 'ROLE')
  }

  #send(wire: CheckWire, command: 'AUTH' | 'PING' | 'ROLE', ...rest: string[]): null {
    this.#command = command
    const words = [command, ...rest].map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
    wire.write(Buffer.from(`*${words.length}\r\n${words.join('')}`))
    return null
  }
}
