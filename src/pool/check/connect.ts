import type { SocketAddress } from '../../core/index.ts'
import type { CheckTlsPlan } from './plan.ts'

/** Where a check goes, and over what. */
export interface CheckTarget {
  readonly address: SocketAddress
  readonly transport: 'tcp' | 'tls' | 'udp'
  /** How TLS is spoken, from the first byte (`tls`) or once the protocol has asked for it; undefined where it never is. */
  readonly tls: CheckTlsPlan | undefined
  /** Version of the header of the PROXY protocol to begin with, which says that nobody is proxied. */
  readonly proxyProtocol?: 1 | 2 | undefined
  /** The port to connect from, where it matters. Not for UDP. */
  readonly localPort?: number | undefined
  /** Protocols to offer by ALPN. */
  readonly alpn: readonly string[]
}

/** The end of a connection that a check holds. */
export interface CheckSocket {
  write(bytes: Uint8Array): void
  /** Begins a TLS handshake on the connection as it is; opened() follows once it is over. */
  secure(): void
  /** Sends no more: FIN. The server's own end is still told. */
  end(): void
  /** Drops the connection at once. No event follows. */
  close(): void
}

/** What happens on it. Nothing is called before connect() has returned, nor after ended() or failed(). */
export interface CheckSocketEvents {
  /** Connected, and for TLS the handshake is over. */
  opened(): void
  received(bytes: Uint8Array): void
  /** The server closed the connection in an orderly way. */
  ended(): void
  /** `reason` in words without a full stop: "connection refused", "connection reset", "certificate has expired". */
  failed(reason: string): void
}

/**
 * How checks reach servers. The control thread brings one over node:net, node:tls and node:dgram, tests one without sockets. A check
 * brings its own deadline: the connection needs none.
 */
export type CheckConnect = (target: CheckTarget, events: CheckSocketEvents) => CheckSocket

/** Calls back once after a delay, until the function that it returns is called. */
export type CheckDelay = (delayMs: number, callback: () => void) => () => void

/** A delay on Node's timers that does not keep the process alive. */
export const systemDelay: CheckDelay = (delayMs, callback) => {
  const timer = setTimeout(callback, delayMs)
  timer.unref()
  return () => clearTimeout(timer)
}
