import type { ClientAddress, SocketAddress } from '../core/index.ts'
import type { Secure } from './tls/index.ts'

/**
 * Why a connection is over. `done`: both sides sent FIN, or close() was called and the queue was flushed. `reset`: the peer
 * sent RST. `refused`, `unreachable`, `timeout`: a connect failed. `local`: reset() was called. `overload`: the engine
 * had no memory or descriptor left for it. `handshake`: TLS could not be agreed on, `secure.failure` says why. `truncated`: the
 * peer sent FIN without TLS's close_notify, so that it may have had more to say. `failed`: any other error of the socket.
 */
export type CloseReason =
  | 'done'
  | 'reset'
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'local'
  | 'overload'
  | 'handshake'
  | 'truncated'
  | 'failed'

/**
 * What a room implements to own a connection. The engine calls these from its loop, never from inside a call that the
 * room makes on the connection (so send() never re-enters the handler), and nothing after closed().
 * They must not throw: an exception closes the connection with `failed` and is logged.
 */
export interface ConnectionHandler {
  /** A connect succeeded. Not called for accepted connections. */
  opened(connection: Connection): void
  /**
   * Bytes arrived: engine.memory[start, end), all inside one block. They are valid until this returns, unless the handler
   * calls engine.blocks.hold(start), or passes them on with send(), which takes its own hold.
   */
  received(connection: Connection, start: number, end: number): void
  /** The peer sent FIN; sending is still possible (half-close). */
  ended(connection: Connection): void
  /** The queue fell to the low-water mark after it had been above the high-water mark. */
  drained(connection: Connection): void
  /** The connection is over, exactly once and last. Everything it held is released. */
  closed(connection: Connection, reason: CloseReason): void
}

/** Who asked for bytes to be spliced. */
export interface SpliceObserver {
  /** So many more bytes of the source are on their way to the target; they count in its queuedBytes until the kernel has taken them. */
  spliced(source: Connection, count: number): void
}

/**
 * A stream connection: TCP or Unix, plain or over TLS, where bytes are plaintext and FIN is close_notify with FIN. It carries no protocol. Objects are never reused; the slot
 * beneath is, under a new generation, so that a late completion cannot reach a newer connection.
 * After closed() or reset() every method is a no-op.
 */
export interface Connection {
  /** Owner of the events; may be swapped at any time, as when an idle upstream connection is taken by an attempt. */
  handler: ConnectionHandler
  readonly remote: SocketAddress
  readonly local: SocketAddress
  /** The IP address of `remote`, without the objects and texts that `remote` is made of; family 0 where it has none. */
  readRemoteIp(out: ClientAddress): void
  readonly isOpen: boolean
  /** What TLS says of it; null where it is plain. */
  readonly secure: Secure | null
  /** Bytes accepted by send() and commit() that the kernel has not taken yet. */
  readonly queuedBytes: number
  /** True from the moment queuedBytes passes the high-water mark until drained() is called. */
  readonly isCongested: boolean
  /** Bytes received and bytes taken by the kernel since the connection was made. */
  readonly receivedBytes: number
  readonly sentBytes: number

  /**
   * Room for up to `length` contiguous bytes (at most one block) to be written into engine.memory at the returned offset, or
   * -1 when no memory is left. commit() must follow before any other call on the engine; it queues the bytes written.
   */
  reserve(length: number): number
  commit(length: number): void
  /**
   * Queues engine.memory[start, end), which must lie in one block. Short slices are copied, long ones are sent from where they
   * are under a hold. Order is that of the calls. What is queued for one connection during a turn goes out together.
   */
  send(start: number, end: number): void
  /**
   * Asks that the next `bytes` (or Infinity) that arrive here go to `to` without passing through memory, which costs less for long pieces. False where that
   * cannot be (another engine, TLS, the limit of pipes): nothing has changed. Otherwise bytes come through received() until what was under way both
   * ways is done, then through the observer alone, and again through received() after `bytes`, when pieces have become short or there is
   * no pipe. The engine keeps a slow `to` from filling up by itself; pause() works as ever, ended() and closed() follow as if bytes were
   * received. send(), end() and close() of `to` come behind what is on its way and end the splice; asking for 0 bytes ends it, too.
   */
  splice(to: Connection, bytes: number, observer: SpliceObserver): boolean
  /** FIN once the queue is flushed. Receiving goes on. */
  end(): void
  /** Stops and resumes receiving. What the kernel had already delivered may still arrive after pause(). */
  pause(): void
  resume(): void
  /** Flushes the queue, sends FIN and closes the descriptor. closed() follows. */
  close(): void
  /** Drops the queue and sends RST. closed('local') follows. */
  reset(): void
}
