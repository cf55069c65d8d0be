import type { EventLog } from '../observe/index.ts'
import type { PoolEvent } from '../pool/index.ts'

/** What became of a server, as the log says it: "server app/a is down: tcp check: connection refused". */
export function sentenceOf(event: PoolEvent): string {
  const server = `server ${event.pool}/${event.server}`
  if (event.kind === 'health') return `${server} is ${event.health}: ${event.reason}`
  return event.ejected ? `${server} is ejected: ${event.reason}` : `${server} takes part again: ${event.reason}`
}

export function logPoolEvent(log: EventLog, event: PoolEvent): void {
  const isGood = event.kind === 'health' ? event.health === 'up' : !event.ejected
  if (isGood) log.info(sentenceOf(event))
  else log.warn(sentenceOf(event))
}
