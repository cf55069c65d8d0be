import { readFileSync } from 'node:fs'
import { AcmeClient, type AcmePlan, Keeper, type KeeperParts, type KeeperStatus, Store, type WantedCertificate } from '../../acme/index.ts'
import type { Plan } from '../../config/index.ts'
import type { EventLog } from '../../observe/index.ts'
import type { ChallengeAnswers } from '../../proxy/index.ts'
import { systemPace } from '../pace.ts'
import { webClient } from '../web-client.ts'
import { Answers } from './answers.ts'

export interface OrdersHooks {
  /** Hands answers to challenges to every worker. */
  publish(answers: ChallengeAnswers): Promise<void>
  /** There is another certificate in a file of the store; resolves when it is in force. */
  renewed(): Promise<void>
}

/** How it stands with a certificate that is ordered. */
export interface OrderStatus extends KeeperStatus {
  readonly path: string
  readonly names: readonly string[]
}

/** A keeper with what it was made from: one for which nothing has changed goes on over a reload. */
interface Kept {
  readonly key: string
  readonly keeper: Keeper
}

/** The certificates that the Plan in force has by ACME, each with somebody who orders and renews it. */
export class AcmeOrders {
  readonly #hooks: OrdersHooks
  readonly #log: EventLog
  readonly #answers: Answers
  readonly #ending = new Set<Promise<void>>()
  #plan: AcmePlan | undefined
  /** By path. */
  #kept: ReadonlyMap<string, Kept> = new Map()

  constructor(hooks: OrdersHooks, log: EventLog) {
    this.#hooks = hooks
    this.#log = log
    this.#answers = new Answers({ publish: (answers) => hooks.publish(answers), dns: () => this.#plan?.dns }, log)
  }

  /** The Plan is in force. */
  apply(plan: Plan): void {
    this.#plan = plan.acme
    const before = this.#kept
    const kept = new Map<string, Kept>()
    const parts = plan.acme && this.#partsOf(plan.acme)
    for (const wanted of wantedIn(plan)) {
      if (parts === undefined || kept.has(wanted.path)) continue
      const key = JSON.stringify([wanted, plan.acme])
      const known = before.get(wanted.path)
      kept.set(wanted.path, known?.key === key ? known : { key, keeper: new Keeper(wanted, parts) })
    }
    for (const [path, { key, keeper }] of before) if (kept.get(path)?.key !== key) this.#end(keeper)
    this.#kept = kept
  }

  status(): OrderStatus[] {
    return [...this.#kept.values()].map(({ keeper }) => ({ ...keeper.status(), path: keeper.wanted.path, names: keeper.wanted.names }))
  }

  /** Orders anew what is for that name, or everything. How many certificates that are. */
  renew(name: string | undefined): number {
    const chosen = [...this.#kept.values()].filter(({ keeper }) => name === undefined || keeper.wanted.names.includes(name))
    for (const { keeper } of chosen) keeper.renew()
    return chosen.length
  }

  /** Gives up what is under way; resolves when the answers to challenges are gone. */
  async close(): Promise<void> {
    this.#answers.close()
    for (const { keeper } of this.#kept.values()) this.#end(keeper)
    this.#kept = new Map()
    await Promise.all(this.#ending)
  }

  #end(keeper: Keeper): void {
    keeper.close()
    this.#ending.add(keeper.ended)
    void keeper.ended.then(() => this.#ending.delete(keeper.ended))
  }

  #partsOf(plan: AcmePlan): KeeperParts {
    const { directory, email, externalAccount, storage, ca } = plan
    const store = new Store(storage)
    let client: AcmeClient | undefined
    return {
      store,
      answerer: this.#answers,
      pace: systemPace,
      renewBeforeMs: plan.renewBeforeMs,
      backOffMs: plan.backOffMs,
      maxBackOffMs: plan.maxBackOffMs,
      client: () => {
        // All orders of a plan are of one account, and a key that cannot be read is looked for again.
        client ??= new AcmeClient(
          { directory, email, externalAccount, key: store.accountKey(directory) },
          webClient(ca === undefined ? undefined : readFileSync(ca, 'utf8')),
          systemPace.now,
        )
        return client
      },
      renewed: () => this.#hooks.renewed(),
      log: (level, message) => this.#log[level](message),
    }
  }
}

function wantedIn(plan: Plan): WantedCertificate[] {
  return plan.listeners.flatMap(({ tls }) =>
    (tls?.certificates ?? []).flatMap(({ cert, acme }) => (acme === undefined ? [] : [{ path: cert, ...acme }])),
  )
}
