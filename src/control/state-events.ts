import type { DiscoveryEvent, PoolEvent } from '../pool/index.ts'

/** What happens to pools and servers, as the log and hooks are told of it. */
export const EVENT_KINDS = ['health', 'ejection', 'breaker', 'panic', 'availability', 'admin', 'agent', 'discovery'] as const
export type EventKind = (typeof EVENT_KINDS)[number]

export interface StateEvent {
  readonly kind: EventKind
  readonly pool: string
  /** null where it concerns the pool as a whole. */
  readonly server: string | null
  /** One word: "up", "down", "ejected", "returned", "open", … */
  readonly state: string
  /** Why, without a full stop. */
  readonly reason: string
  /** For the log. */
  readonly sentence: string
  readonly level: 'info' | 'warn' | 'error'
}

export function stateEventOf(event: PoolEvent): StateEvent {
  const { kind, pool } = event
  switch (kind) {
    case 'health': {
      const { server, health, reason } = event
      const sentence = `server ${pool}/${server} is ${health}: ${reason}`
      return { kind, pool, server, state: health, reason, sentence, level: health === 'up' ? 'info' : 'warn' }
    }
    case 'agent': {
      const { server, what, admin, reason } = event
      const state = what === 'admin' ? admin : what
      const is = {
        lost: "'s agent is lost",
        found: "'s agent answers again",
        admin: ` is ${admin}`,
        weight: "'s agent has changed its weight",
        health: '',
      }[what]
      return {
        kind,
        pool,
        server,
        state,
        reason,
        sentence: `server ${pool}/${server}${is}: ${reason}`,
        level: what === 'lost' ? 'warn' : 'info',
      }
    }
    case 'ejection': {
      const { server, ejected, reason } = event
      const sentence = `server ${pool}/${server} ${ejected ? 'is ejected' : 'takes part again'}: ${reason}`
      return { kind, pool, server, state: ejected ? 'ejected' : 'returned', reason, sentence, level: ejected ? 'warn' : 'info' }
    }
    case 'breaker': {
      const reason = BREAKER_REASONS[event.state]
      const sentence = `the breaker of pool ${pool} is ${event.state}: ${reason}`
      return { kind, pool, server: null, state: event.state, reason, sentence, level: event.state === 'open' ? 'warn' : 'info' }
    }
    case 'panic': {
      const reason = event.panics ? 'too few servers are usable, so health is ignored and all are used' : 'enough servers are usable again'
      const state = event.panics ? 'panic' : 'calm'
      return { kind, pool, server: null, state, reason, sentence: `pool ${pool}: ${reason}`, level: event.panics ? 'warn' : 'info' }
    }
    case 'availability': {
      const isGone = event.servers === 0
      const reason = isGone ? `none of ${event.all} servers is left` : `${event.servers} of ${event.all} servers`
      const sentence = `pool ${pool} is ${isGone ? 'out of service' : 'in service again'}: ${reason}`
      return { kind, pool, server: null, state: isGone ? 'down' : 'up', reason, sentence, level: isGone ? 'error' : 'info' }
    }
  }
}

const BREAKER_REASONS = {
  open: 'too many requests failed, and others are refused at once',
  'half-open': 'some requests are tried',
  closed: 'all is well again',
} as const

export function discoveryEventOf({ kind, pool, source, reason }: DiscoveryEvent): StateEvent {
  const isBad = kind === 'failed' || kind === 'cut'
  const sentence = `pool ${pool}: ${source}: ${reason}`
  return { kind: 'discovery', pool, server: null, state: kind, reason: `${source}: ${reason}`, sentence, level: isBad ? 'warn' : 'info' }
}

/** By an operator. `state` is the administrative state where that was changed, else "changed", "added", "removed". */
export function adminEventOf(pool: string, server: string, state: string, what: string): StateEvent {
  const reason = `${what} by the admin API`
  return { kind: 'admin', pool, server, state, reason, sentence: `server ${pool}/${server}: ${what}, by the admin API`, level: 'info' }
}
