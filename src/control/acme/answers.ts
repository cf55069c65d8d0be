import { setTimeout as delay } from 'node:timers/promises'
import type { Answerer, ChallengeAnswer, DnsHookPlan } from '../../acme/index.ts'
import type { EventLog } from '../../observe/index.ts'
import type { ChallengeAnswers } from '../../proxy/index.ts'
import { runCommand } from '../run-command.ts'
import { makeChallengeCertificate } from '../self-signed.ts'

/** Workers that are asked to forget an answer, and a command to take its record out, have so long when Evener ends. */
const LAST_MS = 5000

export interface AnswerPlaces {
  /** Hands all answers that are due to every worker; resolves when they are in force. */
  publish(answers: ChallengeAnswers): Promise<void>
  /** The command of dns-01, of the configuration in force. */
  dns(): DnsHookPlan | undefined
}

/** Where authorities find the answers to their challenges: in all workers, or in DNS by the operator's command. */
export class Answers implements Answerer {
  readonly #places: AnswerPlaces
  readonly #log: EventLog
  readonly #closing = new AbortController()
  readonly #http = new Map<string, string>()
  readonly #tls = new Map<string, { readonly chain: string; readonly key: string }>()

  constructor(places: AnswerPlaces, log: EventLog) {
    this.#places = places
    this.#log = log
  }

  async present(answer: ChallengeAnswer, signal: AbortSignal): Promise<void> {
    switch (answer.kind) {
      case 'http-01':
        this.#http.set(answer.token, answer.keyAuthorization)
        return this.#publish()
      case 'tls-alpn-01': {
        const { cert, key } = makeChallengeCertificate(answer.name, answer.digest)
        this.#tls.set(answer.name, { chain: cert, key })
        return this.#publish()
      }
      case 'dns-01': {
        await this.#run('present', answer, signal)
        const wait = this.#places.dns()?.propagationMs ?? 0
        if (wait > 0) await delay(wait, undefined, { signal })
      }
    }
  }

  async remove(answer: ChallengeAnswer): Promise<void> {
    try {
      if (answer.kind === 'dns-01') return await this.#run('cleanup', answer, AbortSignal.any([]))
      this.#http.delete(answer.token)
      this.#tls.delete(answer.name)
      await this.#publish()
    } catch (error) {
      this.#log.warn(`acme ${answer.name}: the answer to ${answer.kind} stays: ${(error as Error).message}`)
    }
  }

  /** From now on there is little time. */
  close(): void {
    setTimeout(() => this.#closing.abort(new Error('Evener ends')), LAST_MS).unref()
  }

  #publish(): Promise<void> {
    return this.#places.publish({ http: Object.fromEntries(this.#http), tls: Object.fromEntries(this.#tls) })
  }

  async #run(action: 'present' | 'cleanup', { name, digest }: ChallengeAnswer, signal: AbortSignal): Promise<void> {
    const hook = this.#places.dns()
    if (hook === undefined) throw new Error('there is no command acme.dns any more')
    const [record, value] = [`_acme-challenge.${name}`, digest.toString('base64url')]
    const environment = { EVENER_ACTION: action, EVENER_RECORD: record, EVENER_VALUE: value }
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(new Error(`it took longer than ${hook.timeoutMs} ms`)), hook.timeoutMs)
    try {
      const ends = AbortSignal.any([signal, limit.signal, this.#closing.signal])
      await runCommand([...hook.command, action, record, value], environment, '', ends)
    } catch (error) {
      if (signal.aborted) throw error
      throw new Error(`${hook.command[0]} ${action}: ${(error as Error).message}`)
    } finally {
      clearTimeout(timer)
    }
  }
}
