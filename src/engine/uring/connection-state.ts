import type { Connection, ConnectionHandler } from '../connection.ts'

/*
 *   CONNECTING ──connected──▶ OPEN ──close()──▶ FLUSHING ──queue empty──▶ DYING ──last completion──▶ CLOSED
 *        └── failure, timeout ──┴── reset(), failure ──┴────────────────────▶ DYING
 */
export const CONNECTING = 0
export const OPEN = 1
export const FLUSHING = 2
export const DYING = 3
export const CLOSED = 4

/** What a handler is told, but for closed(). */
export const OPENED = 0
export const RECEIVED = 1
export const ENDED = 2
export const DRAINED = 3

export function tell(handler: ConnectionHandler, connection: Connection, event: number, start: number, end: number): void {
  if (event === RECEIVED) handler.received(connection, start, end)
  else if (event === OPENED) handler.opened(connection)
  else if (event === ENDED) handler.ended(connection)
  else handler.drained(connection)
}
