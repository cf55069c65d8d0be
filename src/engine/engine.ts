import type { SocketAddress } from '../core/index.ts'
import type { Blocks } from './blocks.ts'
import type { Connection, ConnectionHandler } from './connection.ts'
import type { EngineCounters } from './counters.ts'
import type { DatagramHandler, DatagramSocket } from './datagram.ts'
import type { TimerWheel } from './timers.ts'
import type { TlsClient, TlsClientOptions, TlsServer, TlsServerOptions } from './tls/index.ts'

export interface ListenOptions {
  readonly address: SocketAddress
  /** Length of the accept queue; the kernel caps it at net.core.somaxconn. */
  readonly backlog?: number
  /** Share the port with the listeners of other workers (SO_REUSEPORT). */
  readonly reusePort?: boolean
  /** Connections are accepted when their handshake is done. */
  readonly tls?: TlsServer | undefined
  /** Owner of a connection whose first byte is none of TLS, on a listener with `tls`; without one, or undefined, it is reset. */
  readonly plaintext?: (connection: Connection) => ConnectionHandler | undefined
  /** A handshake failed, was too slow or gave way to others. */
  readonly handshakeFailed?: (reason: string) => void
}

export interface Listener {
  /** The bound address, with the port that the kernel chose where 0 was asked for. */
  readonly address: SocketAddress
  /** Accepts what is already in the queue, then stops listening; resolves when both are done. Accepted connections go on. */
  close(): Promise<void>
  /** Stops and resumes accepting without closing the socket (connection limit reached). */
  pause(): void
  resume(): void
  /** How connections are secured that come from now on; undefined for plain ones. */
  secure(tls: TlsServer | undefined): void
}

/** What becomes of a handshake on a connection that was accepted in the clear. */
export interface SecureHooks {
  /** The handshake is done: the owner of the secured connection, or undefined to reset it. */
  accepted(connection: Connection): ConnectionHandler | undefined
  /** Owner of a connection that goes on in the clear, or undefined to reset it. */
  plaintext(connection: Connection): ConnectionHandler | undefined
  /** It is not done; the connection is over or soon will be, unless plaintext() has taken it. */
  failed(reason: string, isTaken: boolean): void
}

/** What a connection begins with. */
export interface Preface {
  /** Bytes that it writes at most; no more than a block. */
  readonly room: number
  /** Writes them into memory from `at` on, once, and returns the offset behind them. */
  write(memory: Uint8Array, at: number): number
}

export interface ConnectOptions {
  readonly timeoutMs: number
  /** Source address to bind before connecting. */
  readonly source?: SocketAddress
  /** opened() follows the handshake, and `timeoutMs` is for both. */
  readonly tls?: TlsClient | undefined
  /** Sent before everything else, in the clear also where TLS follows. */
  readonly preface?: Preface | undefined
}

export interface BindOptions {
  readonly address: SocketAddress
  /** Share the port with the sockets of other workers (SO_REUSEPORT). */
  readonly reusePort?: boolean
}

/**
 * One event loop with its connections, memory and timers; there is one in each worker. Everything happens on the thread that
 * made it. All bytes live in `memory`, a single arena that is divided into reference-counted blocks (see blocks.ts).
 */
export interface Engine {
  readonly kind: 'uring' | 'portable'
  readonly memory: Uint8Array
  readonly blocks: Blocks
  readonly timers: TimerWheel
  readonly counters: Readonly<EngineCounters>
  /** Milliseconds on a monotonic clock, read once per turn of the loop. */
  now(): number
  /** Milliseconds since the epoch, read once per turn of the loop. */
  wallClock(): number
  /** `accepted` returns the handler of the new connection, or undefined to reset it. Resolves once bound; rejects with EvenerError LISTEN_*. */
  listen(options: ListenOptions, accepted: (connection: Connection) => ConnectionHandler | undefined): Promise<Listener>
  /** Never throws: a failure arrives as closed(). */
  connect(address: SocketAddress, options: ConnectOptions, handler: ConnectionHandler): Connection
  /**
   * Begins a TLS handshake, as the server, on a connection that was accepted in the clear and has nothing to send. memory[start, end) has come
   * already. Its handler hears nothing more; the caller makes what this returns the connection's handler, and forgets the connection. What is no TLS in
   * that piece is told its owner within this call.
   */
  secure(connection: Connection, tls: TlsServer, start: number, end: number, hooks: SecureHooks): ConnectionHandler
  /** Certificates and options for listen(). Throws EvenerError TLS_*. */
  tlsServer(options: TlsServerOptions): TlsServer
  /** How one server is to be connected to. Throws EvenerError TLS_*. */
  tlsClient(options: TlsClientOptions): TlsClient
  /** A socket for datagrams. Resolves once bound; rejects with EvenerError LISTEN_*. */
  bindDatagrams(options: BindOptions, handler: DatagramHandler): Promise<DatagramSocket>
  /** A socket for datagrams to one peer, and from nobody else. undefined when there is no descriptor or slot left for it. */
  connectDatagrams(address: SocketAddress, handler: DatagramHandler): DatagramSocket | undefined
  /** Runs the callback soon, outside the data path, where promises and Node's APIs may be used. */
  defer(callback: () => void): void
  /** Starts the loop. Connections and listeners may be made before. */
  start(): void
  /** Resets what is open, stops the loop and gives the memory back. */
  close(): Promise<void>
}
