import type { DatagramHandler, DatagramSocket, Endpoint } from '../../engine/index.ts'
import { ALL_FULL, type PickContext, type Pool } from '../../pool/index.ts'
import type { DatagramListener } from './listener.ts'
import { DatagramSession } from './session.ts'
import { SessionTable } from './session-table.ts'
import { DATAGRAM_DROP, SESSION_END } from './termination.ts'

/** Other workers may take the last place on a server between pick and acquire; after so many times the pool counts as full. */
const MAX_RACES = 8

/**
 * One address of a udp listener, with the sessions of the clients that talk to it. It belongs to no listener while the Plan that asked
 * for it is not in force. Once it is retired it lives on only for answers that are still to come.
 */
export class DatagramPort implements DatagramHandler {
  /** Set right after the engine made it, before any event. */
  socket!: DatagramSocket
  listener!: DatagramListener
  readonly table = new SessionTable()
  readonly sessions = new Set<DatagramSession>()
  #hasListener = false
  #isRetired = false

  /** From now on its clients are those of the listener. */
  attach(listener: DatagramListener): void {
    this.listener = listener
    this.#hasListener = true
  }

  received(_socket: DatagramSocket, start: number, end: number): void {
    if (!this.#hasListener) return
    const { source } = this.socket
    let session = this.table.find(source)
    if (session?.isMisplaced === true) {
      session.end(SESSION_END.SERVER_DOWN)
      session = null
    }
    session ??= this.#begin(source)
    if (session !== null) session.forward(start, end)
  }

  failed(): void {}

  /** Takes no new sessions; those that wait for no answer end at once, and the socket with the last one. */
  retire(): void {
    if (this.#isRetired) return
    this.#isRetired = true
    for (const session of [...this.sessions]) if (!session.isWaiting) session.end(SESSION_END.RETIRED)
    if (this.sessions.size === 0) this.socket.close()
  }

  /** A session is over. */
  ended(session: DatagramSession): void {
    this.sessions.delete(session)
    const { use } = session.site
    this.listener.ended()
    if (--use.exchanges === 0 && !use.isCurrent) session.worker.planUses.trim()
    if (this.#isRetired && this.sessions.size === 0) this.socket.close()
  }

  /** A new client. null where it gets no server, or there are too many of them; what it sent is dropped. */
  #begin(client: Endpoint): DatagramSession | null {
    const { listener } = this
    const site = listener.current
    const { counters } = listener.worker
    if (this.#isRetired) return this.#drop(DATAGRAM_DROP.RETIRED)
    if (listener.sessions >= site.maxSessions) return this.#drop(DATAGRAM_DROP.SESSION_LIMIT)
    const session = new DatagramSession(this, site, client)
    const index = choose(session, listener.pick)
    if (index < 0) return this.#drop(index === ALL_FULL ? DATAGRAM_DROP.SERVERS_FULL : DATAGRAM_DROP.NO_SERVER)
    if (!session.open(index)) {
      session.pool.pool.release(index)
      return this.#drop(DATAGRAM_DROP.SESSION_LIMIT)
    }
    site.use.exchanges++
    listener.began()
    this.sessions.add(session)
    this.table.add(session)
    counters.sessionBegan(site)
    return session
  }

  #drop(reason: number): null {
    this.listener.worker.counters.datagramDropped(this.listener.current, reason)
    return null
  }
}

/** The index of a server of the session's pool or, where that has none, of its `sorry` pool; or what pick() said last. */
function choose(session: DatagramSession, context: PickContext): number {
  context.keySource = session
  for (;;) {
    const index = chooseFrom(session.pool.pool, context, session.worker.engine.wallClock())
    const next = session.pool.sorry?.pool
    if (index >= 0 || next === undefined || next === null) return index
    session.pool = next
  }
}

/** The index of a server, acquired; or what pick() said instead. */
function chooseFrom(pool: Pool, context: PickContext, nowMs: number): number {
  context.begin(nowMs)
  for (let races = 0; races < MAX_RACES; races++) {
    const index = pool.pick(context)
    if (index < 0) return index
    if (!pool.acquire(index, nowMs)) continue
    pool.remember(index, context)
    return index
  }
  return ALL_FULL
}
