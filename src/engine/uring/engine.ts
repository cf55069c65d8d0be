import type { SocketAddress } from '../../core/index.ts'
import { EvenerError, formatAddress } from '../../core/index.ts'
import {
  connectSocket,
  datagramSocket,
  emptyDatagramSocket,
  errnoName,
  listenSocket,
  localAddress,
  native,
  packAddress,
  SOCKET_ADDRESS_BYTES,
} from '../../kernel/index.ts'
import type { EngineHooks } from '../backend.ts'
import type { Blocks } from '../blocks.ts'
import type { Connection, ConnectionHandler } from '../connection.ts'
import type { EngineCounters } from '../counters.ts'
import type { DatagramHandler, DatagramSocket } from '../datagram.ts'
import type { BindOptions, ConnectOptions, Engine, Listener, ListenOptions, Preface, SecureHooks } from '../engine.ts'
import { closeReason, listenError } from '../failures.ts'
import type { EngineOptions } from '../options.ts'
import { Timer, type TimerWheel } from '../timers.ts'
import type { TlsClient, TlsClientOptions, TlsServer, TlsServerOptions } from '../tls/index.ts'
import { RingConnection } from './connection.ts'
import { RingDatagramSocket } from './datagram.ts'
import { type Accepted, RingListener } from './listener.ts'
import { Loop, MAX_LISTENERS, RING_SIZES } from './loop.ts'
import { RingTlsClient, RingTlsServer, TlsConnection } from './tls/index.ts'

const DEFAULT_BACKLOG = 4096

/** The engine over io_uring: what rooms see of the loop. */
export class RingEngine implements Engine {
  readonly kind = 'uring'
  readonly memory: Uint8Array
  readonly blocks: Blocks
  readonly timers: TimerWheel
  readonly counters: EngineCounters
  readonly #loop: Loop
  #closed: Promise<void> | null = null

  constructor(options: EngineOptions, hooks: EngineHooks, sizes = RING_SIZES) {
    this.#loop = new Loop(options, hooks, sizes)
    this.memory = this.#loop.memory
    this.blocks = this.#loop.blocks
    this.timers = this.#loop.timers
    this.counters = this.#loop.counters
  }

  now(): number {
    return this.#loop.now()
  }

  wallClock(): number {
    return this.#loop.wallClock()
  }

  async listen(options: ListenOptions, accepted: Accepted): Promise<Listener> {
    const { address, backlog = DEFAULT_BACKLOG, reusePort = false } = options
    if (this.#closed !== null) throw new EvenerError('LISTEN_FAILED', `cannot listen on ${formatAddress(address)}: the engine is closed`)
    if (!this.#loop.hasRoomForListener)
      throw new EvenerError('LISTEN_FAILED', `cannot listen on ${formatAddress(address)}: an engine has at most ${MAX_LISTENERS} listeners`)
    const fd = listenSocket({ address, backlog, reusePort })
    if (fd < 0) throw listenError(address, errnoName(fd))
    const bound = localAddress(fd) ?? address
    return new RingListener(this.#loop, fd, bound, accepted, options)
  }

  connect(address: SocketAddress, options: ConnectOptions, handler: ConnectionHandler): Connection {
    const loop = this.#loop
    const slot = this.#closed === null ? loop.nextSlot() : -1
    const fd = slot === -1 ? -1 : connectSocket(address, options.source)
    const raw = new RingConnection(loop, Math.max(fd, -1), slot, handler, address, false)
    const connection =
      options.tls instanceof RingTlsClient ? TlsConnection.connect(loop, raw, options.tls, options.timeoutMs, handler) : raw
    if (slot !== -1) loop.occupy(raw, Math.max(fd, -1))
    if (fd < 0) {
      raw.fail(slot === -1 ? 'overload' : closeReason(errnoName(fd)))
      return connection
    }
    const { ring } = loop
    const aside = ring.nextAside()
    const length = packAddress(ring.aside.subarray(aside, aside + SOCKET_ADDRESS_BYTES), address)
    if (length < 0) {
      raw.fail('failed')
      return connection
    }
    const timer = new Timer(raw)
    this.timers.arm(timer, options.timeoutMs)
    raw.beginConnect(aside, length, timer)
    if (options.preface !== undefined) this.#begin(raw, options.preface)
    return connection
  }

  secure(connection: Connection, tls: TlsServer, start: number, end: number, hooks: SecureHooks): ConnectionHandler {
    const raw = connection as RingConnection
    const secured = TlsConnection.accept(this.#loop, raw, tls as RingTlsServer, hooks)
    if (start < end) secured.received(raw, start, end)
    // Another one where what had come was no TLS.
    return raw.handler
  }

  tlsServer(options: TlsServerOptions): TlsServer {
    return new RingTlsServer(this.#loop.tls, options)
  }

  tlsClient(options: TlsClientOptions): TlsClient {
    return new RingTlsClient(this.#loop.tls, options)
  }

  async bindDatagrams({ address, reusePort = false }: BindOptions, handler: DatagramHandler): Promise<DatagramSocket> {
    if (this.#closed !== null) throw new EvenerError('LISTEN_FAILED', `cannot listen on ${formatAddress(address)}: the engine is closed`)
    const isWildcard = address.family !== 'unix' && (address.host === '0.0.0.0' || address.host === '::')
    const fd = datagramSocket({ address, reusePort, packetInfo: isWildcard })
    if (fd < 0) throw listenError(address, errnoName(fd))
    const socket = this.#datagramSocket(fd, handler, false, isWildcard)
    if (socket !== undefined) return socket
    native().close(fd)
    throw new EvenerError('LISTEN_FAILED', `cannot listen on ${formatAddress(address)}: there are too many sockets`)
  }

  connectDatagrams(address: SocketAddress, handler: DatagramHandler): DatagramSocket | undefined {
    const fd = this.#closed === null ? emptyDatagramSocket(address) : -1
    if (fd < 0) return undefined
    const { ring } = this.#loop
    const socket = this.#datagramSocket(fd, handler, true, false)
    if (socket === undefined) {
      native().close(fd)
      return undefined
    }
    const aside = ring.nextAside()
    const length = packAddress(ring.aside.subarray(aside, aside + SOCKET_ADDRESS_BYTES), address)
    ring.connectDatagrams(fd, aside, length, socket.slot, socket.generation)
    socket.begin()
    return socket
  }

  defer(callback: () => void): void {
    setImmediate(() => {
      if (this.#loop.isFinished) return
      try {
        callback()
      } catch (error) {
        this.#loop.report(error)
      }
    })
  }

  /** Queues what goes out before all else, as soon as there is a connection. */
  #begin(raw: RingConnection, preface: Preface): void {
    const at = raw.reserve(preface.room)
    if (at === -1) raw.fail('overload')
    else raw.commit(preface.write(this.memory, at) - at)
  }

  #datagramSocket(fd: number, handler: DatagramHandler, isConnected: boolean, isWildcard: boolean): RingDatagramSocket | undefined {
    const { datagrams } = this.#loop
    const slot = datagrams.nextSlot()
    if (slot === -1) return undefined
    const socket = new RingDatagramSocket(datagrams, fd, slot, this.#loop.nextGeneration(), handler, isConnected, isWildcard)
    datagrams.occupy(socket, fd)
    if (!isConnected) socket.begin()
    return socket
  }

  start(): void {
    if (this.#closed === null) this.#loop.start()
  }

  close(): Promise<void> {
    return (this.#closed ??= new Promise((resolve) => this.#loop.stop(resolve)))
  }
}
