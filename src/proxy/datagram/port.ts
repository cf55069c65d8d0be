import type { DatagramHandler, DatagramSocket, Endpoint } from '../../engine/index.ts'
import { ALL_FULL, type PickContext, type Pool } from '../../pool/index.ts'
import type { HeaderPolicy } from '../header-gate.ts'
import { ProxiedClient } from '../proxied-client.ts'
import { ProxyHeader, parseProxyHeader } from '../proxy-protocol/index.ts'
import type { DatagramListener } from './listener.ts'
import { DatagramSession } from './session.ts'
import { SessionTable } from './session-table.ts'
import { DATAGRAM_DROP, SESSION_END } from './termination.ts'

const header = new ProxyHeader()

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
    const { headerPolicy } = this.listener.current
    if (headerPolicy === null) this.#take(null, start, end)
    else this.#takeIntroduced(headerPolicy, start, end)
  }

  #take(origin: ProxyHeader | null, start: number, end: number): void {
    const { source } = this.socket
    let session = this.table.find(source, origin)
    if (session?.isMisplaced === true) {
      session.end(SESSION_END.SERVER_DOWN)
      session = null
    }
    session ??= this.#begin(source, origin)
    if (session !== null) session.forward(start, end)
  }

  /** A listener whose trusted peers begin each datagram with a header. */
  #takeIntroduced({ from, takesOthers }: HeaderPolicy, start: number, end: number): void {
    if (!from.contains(this.socket.source.address)) {
      if (takesOthers) this.#take(null, start, end)
      else this.#drop(DATAGRAM_DROP.HEADER_UNTRUSTED)
      return
    }
    const at = parseProxyHeader(this.listener.worker.engine.memory, start, end, header, true)
    // A header does not go on in the next datagram.
    if (at <= 0) this.#drop(DATAGRAM_DROP.HEADER_MALFORMED)
    else this.#take(header.isLocal ? null : header, at, end)
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
  #begin(client: Endpoint, origin: ProxyHeader | null): DatagramSession | null {
    const { listener } = this
    const site = listener.current
    const { worker } = listener
    if (this.#isRetired) return this.#drop(DATAGRAM_DROP.RETIRED)
    if (listener.sessions >= site.maxSessions) return this.#drop(DATAGRAM_DROP.SESSION_LIMIT)
    const session = new DatagramSession(this, site, client, origin === null ? null : new ProxiedClient(origin, worker.engine.memory))
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
    worker.counters.sessionBegan(site)
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
