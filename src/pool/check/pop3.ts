import { LineCheck, notThe, writeLine } from './line-check.ts'
import type { MailboxProbePlan } from './plan.ts'
import { type CheckWire, fail, pass, quote, type Verdict } from './protocol.ts'

/** POP3, RFC 1939: greeting, STLS (RFC 2595) and USER with PASS where they are asked for, QUIT. */
export class Pop3Check extends LineCheck {
  readonly #plan: MailboxProbePlan
  #command = 'greeting'

  constructor(plan: MailboxProbePlan) {
    super()
    this.#plan = plan
  }

  opened(wire: CheckWire): null {
    return this.#command === 'greeting' ? null : this.#login(wire)
  }

  protected line(text: string, wire: CheckWire): Verdict | null {
    const [, status] = /^(\+OK|-ERR)\b/i.exec(text) ?? []
    if (status === undefined) return notThe('POP3', text)
    if (status.startsWith('-')) return fail(`the ${this.#command === 'greeting' ? '' : 'answer to '}${this.#command} is ${quote(text)}`)
    switch (this.#command) {
      case 'greeting':
        return this.#plan.mode === 'upgrade' ? this.#send(wire, 'STLS') : this.#login(wire)
      case 'STLS':
        return this.secure(wire)
      case 'USER':
        return this.#send(wire, 'PASS', ` ${this.#plan.password ?? ''}`)
      case 'PASS':
        return this.#quit(wire)
      default:
        return this.parting
    }
  }

  #login(wire: CheckWire): null {
    const { user } = this.#plan
    return user === undefined ? this.#quit(wire) : this.#send(wire, 'USER', ` ${user}`)
  }

  #quit(wire: CheckWire): null {
    this.parting = pass(this.#plan.user === undefined ? 'the greeting is +OK' : 'logged in')
    return this.#send(wire, 'QUIT')
  }

  #send(wire: CheckWire, command: string, rest = ''): null {
    this.#command = command
    writeLine(wire, `${command}${rest}`)
    return null
  }
}
