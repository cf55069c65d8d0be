import { LineCheck, notThe, writeLine } from './line-check.ts'
import type { SmtpProbePlan } from './plan.ts'
import { type CheckWire, fail, pass, quote, type Verdict } from './protocol.ts'

const ANSWERED = pass('EHLO is answered')

/**
 * SMTP, RFC 5321: greeting, EHLO, with `tls: upgrade` STARTTLS (RFC 3207) and EHLO again, QUIT. What follows the answer to
 * EHLO is politeness: however it goes, the server is well.
 *
 *   GREETING ── 220 ──▶ EHLO ── 250 ──▶ QUIT ── 221, or the end ──▶ pass
 *                        │ ▲
 *                250, upgrade │ opened again
 *                        ▼ │
 *                     STARTTLS
 */
export class SmtpCheck extends LineCheck {
  readonly #plan: SmtpProbePlan
  #state: 'greeting' | 'ehlo' | 'starttls' | 'quit' = 'greeting'
  #isSecure = false
  #offersTls = false

  constructor(plan: SmtpProbePlan) {
    super()
    this.#plan = plan
  }

  opened(wire: CheckWire): null {
    if (this.#state === 'greeting') return null
    this.#isSecure = true
    return this.#hello(wire)
  }

  protected line(text: string, wire: CheckWire): Verdict | null {
    const [, code, mark, rest] = /^([2-5]\d\d)([ -]|$)(.*)$/.exec(text) ?? []
    if (code === undefined) return notThe('SMTP', text)
    if (this.#state === 'ehlo' && /^starttls$/i.test(rest.trim())) this.#offersTls = true
    return mark === '-' ? null : this.#answer(code, text, wire)
  }

  #answer(code: string, text: string, wire: CheckWire): Verdict | null {
    switch (this.#state) {
      case 'greeting':
        return code === '220' ? this.#hello(wire) : fail(`the greeting is ${quote(text)}`)
      case 'ehlo':
        return code === '250' ? this.#greeted(wire) : fail(`the answer to EHLO is ${quote(text)}`)
      case 'starttls':
        return code === '220' ? this.secure(wire) : fail(`the answer to STARTTLS is ${quote(text)}`)
      case 'quit':
        return ANSWERED
    }
  }

  #hello(wire: CheckWire): null {
    this.#state = 'ehlo'
    writeLine(wire, `EHLO ${this.#plan.hello}`)
    return null
  }

  #greeted(wire: CheckWire): Verdict | null {
    const mustUpgrade = this.#plan.mode === 'upgrade' && !this.#isSecure
    if (mustUpgrade && !this.#offersTls) return fail('STARTTLS is not offered')
    this.#state = mustUpgrade ? 'starttls' : 'quit'
    if (!mustUpgrade) this.parting = ANSWERED
    writeLine(wire, mustUpgrade ? 'STARTTLS' : 'QUIT')
    return null
  }
}
