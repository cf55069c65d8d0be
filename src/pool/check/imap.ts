import { LineCheck, notThe, writeLine } from './line-check.ts'
import type { MailboxProbePlan } from './plan.ts'
import { type CheckWire, fail, pass, quote, type Verdict } from './protocol.ts'

/** IMAP4rev1, RFC 3501: greeting, STARTTLS and LOGIN where they are asked for, NOOP, LOGOUT. */
export class ImapCheck extends LineCheck {
  readonly #plan: MailboxProbePlan
  #command = ''
  #isSecure = false

  constructor(plan: MailboxProbePlan) {
    super()
    this.#plan = plan
  }

  opened(wire: CheckWire): null {
    if (this.#command === '') return null
    this.#isSecure = true
    return this.#login(wire)
  }

  protected line(text: string, wire: CheckWire): Verdict | null {
    if (this.#command === '') return this.#greeting(text, wire)
    if (text.startsWith('* ')) return null
    const [, status] = /^e (OK|NO|BAD)\b/i.exec(text) ?? []
    if (status === undefined) return notThe('IMAP', text)
    if (this.parting !== null) return this.parting
    if (status.toUpperCase() !== 'OK') return fail(`the answer to ${this.#command} is ${quote(text.slice(2))}`)
    switch (this.#command) {
      case 'STARTTLS':
        return this.secure(wire)
      case 'NOOP':
        this.parting = this.#passed()
        return this.#send(wire, 'LOGOUT')
      default:
        return this.#send(wire, 'NOOP')
    }
  }

  #greeting(text: string, wire: CheckWire): Verdict | null {
    const [, status] = /^\* (OK|PREAUTH|BYE)\b/i.exec(text) ?? []
    if (status === undefined) return notThe('IMAP', text)
    if (status.toUpperCase() === 'BYE') return fail(`the greeting is ${quote(text)}`)
    if (this.#plan.mode === 'upgrade' && !this.#isSecure) return this.#send(wire, 'STARTTLS')
    return this.#login(wire)
  }

  #login(wire: CheckWire): null {
    const { user, password } = this.#plan
    if (user === undefined) return this.#send(wire, 'NOOP')
    return this.#send(wire, 'LOGIN', ` ${quoted(user)} ${quoted(password ?? '')}`)
  }

  #send(wire: CheckWire, command: string, rest = ''): null {
    this.#command = command
    writeLine(wire, `e ${command}${rest}`)
    return null
  }

  #passed(): Verdict {
    return pass(this.#plan.user === undefined ? 'NOOP is answered' : 'logged in')
  }
}

/** RFC 3501 §4.3. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
