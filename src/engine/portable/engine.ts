import { createConnection, type LookupFunction, type Socket } from 'node:net'
import { EvenerError, formatAddress, type SocketAddress } from '../../core/index.ts'
import type { EngineHooks } from '../backend.ts'
import { Blocks } from '../blocks.ts'
import type { CloseReason, Connection, ConnectionHandler } from '../connection.ts'
import type { EngineCounters } from '../counters.ts'
import type { DatagramHandler, DatagramSocket } from '../datagram.ts'
import type { BindOptions, ConnectOptions, Engine, Listener, ListenOptions, Preface, SecureHooks } from '../engine.ts'
import { closeReason } from '../failures.ts'
import type { EngineOptions } from '../options.ts'
import type { TimerWheel } from '../timers.ts'
import { TicketKeys, type TlsClient, type TlsClientOptions, type TlsServer, type TlsServerOptions } from '../tls/index.ts'
import { peerAddress, socketPath } from './address.ts'
import { PortableConnection } from './connection.ts'
import { PortableDatagramSocket } from './datagram.ts'
import { listenTo, listenToConnect, listenToData, listenToHandshake, listenToPlaintext, readInto } from './events.ts'
import { type Accepted, drop, PortableListener } from './listener.ts'
import { Loop } from './loop.ts'
import { PortableSecure, PortableTlsClient, PortableTlsServer } from './tls/index.ts'

/** What one read may bring: Node's own choice for sockets without a buffer of ours. */
const READ_BYTES = 64 * 1024

/** Owns a connection until accepted() has answered, and one that it turned away. */
const NOBODY: ConnectionHandler = { opened() {}, received() {}, ended() {}, drained() {}, closed() {} }

/** Names are resolved elsewhere; here Node would hand them to a thread. */
const refuseNames: LookupFunction = (name, _options, callback) => callback(new Error(`"${name}" is not an IP address`), '', 0)

/** The engine over node:net: its listeners, its connections and their end. */
export class PortableEngine implements Engine {
  readonly kind = 'portable'
  readonly memory: Uint8Array
  readonly blocks: Blocks
  readonly timers: TimerWheel
  readonly options: EngineOptions
  readonly loop: Loop
  /** The arena as a Buffer, because Writable wraps a view of any other kind in one. */
  readonly arena: Buffer
  /** All connects read into this one: libuv fills it and Node hands it on within one call, and the connection copies. */
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)
  readonly #connections = new Set<PortableConnection>()
  readonly #listeners = new Set<PortableListener>()
  readonly #ticketKeys: TicketKeys
  /** Sockets whose handshake is under way. */
  readonly #shaking = new Set<Socket>()
  readonly #datagrams = new Set<PortableDatagramSocket>()
  #dialing: (() => void)[] | null = []
  #isClosing = false
  #closed: Promise<void> | null = null
  #allGone: (() => void) | null = null

  constructor(options: EngineOptions, hooks: EngineHooks) {
    const memory = new ArrayBuffer(options.blockBytes * options.blockCount)
    this.options = options
    this.memory = new Uint8Array(memory)
    this.arena = Buffer.from(memory)
    this.blocks = new Blocks(this.memory, options.blockBytes)
    this.loop = new Loop(this.blocks, (error) => hooks.report(error))
    this.timers = this.loop.timers
    this.#ticketKeys = options.ticketKeys === undefined ? TicketKeys.create() : new TicketKeys(options.ticketKeys)
  }

  get isRunning(): boolean {
    return this.#dialing === null && !this.#isClosing
  }

  /** The memory is gone. */
  get isOver(): boolean {
    return this.loop.isStopped
  }

  get counters(): EngineCounters {
    return this.loop.counters
  }

  now(): number {
    return this.loop.now()
  }

  wallClock(): number {
    return this.loop.wallClock()
  }

  async listen(options: ListenOptions, accepted: Accepted): Promise<Listener> {
    const listener = new PortableListener(this, options, accepted)
    if (!this.#isClosing) await listener.bind(options)
    if (this.#isClosing) {
      await listener.closeNow()
      throw new EvenerError('LISTEN_FAILED', `cannot listen on ${formatAddress(options.address)}: the engine is closed`)
    }
    this.#listeners.add(listener)
    return listener
  }

  connect(address: SocketAddress, options: ConnectOptions, handler: ConnectionHandler): Connection {
    const connection = new PortableConnection(this, handler, address, null, false, options.tls === undefined ? null : new PortableSecure())
    if (this.#isClosing || this.#connections.size >= this.options.maxConnections) {
      setImmediate(() => connection.gone('overload'))
      return connection
    }
    this.#connections.add(connection)
    if (this.#dialing === null) this.#dial(connection, address, options)
    else this.#dialing.push(() => this.#dial(connection, address, options))
    return connection
  }

  secure(
    connection: Connection,
    tls: TlsServer,
    start: number,
    end: number,
    { accepted, plaintext, failed }: SecureHooks,
  ): ConnectionHandler {
    const plain = connection as PortableConnection
    const { local } = plain
    const socket = plain.detach()
    if (socket === null) return NOBODY
    if (start < end) socket.unshift(Buffer.from(this.memory.subarray(start, end)))
    ;(tls as PortableTlsServer).accept(socket, {
      secured: (secured, transport, secure) => this.accept(secured, local, accepted, transport, secure),
      plaintext: (clear) => this.accept(clear, local, plaintext),
      failed,
    })
    return NOBODY
  }

  tlsServer(options: TlsServerOptions): TlsServer {
    return new PortableTlsServer(options, this.#ticketKeys, this.#shaking)
  }

  tlsClient(options: TlsClientOptions): TlsClient {
    return new PortableTlsClient(options)
  }

  async bindDatagrams({ address, reusePort = false }: BindOptions, handler: DatagramHandler): Promise<DatagramSocket> {
    const socket = new PortableDatagramSocket(this, address, handler, false, reusePort)
    this.#datagrams.add(socket)
    try {
      await socket.bind()
    } catch (error) {
      this.#datagrams.delete(socket)
      throw error
    }
    if (!this.#isClosing) return socket
    socket.close()
    throw new EvenerError('LISTEN_FAILED', `cannot listen on ${formatAddress(address)}: the engine is closed`)
  }

  connectDatagrams(address: SocketAddress, handler: DatagramHandler): DatagramSocket | undefined {
    if (this.#isClosing || address.family === 'unix') return undefined
    const socket = new PortableDatagramSocket(this, address, handler, true)
    this.#datagrams.add(socket)
    socket.connect()
    return socket
  }

  forgetDatagrams(socket: PortableDatagramSocket): void {
    this.#datagrams.delete(socket)
  }

  defer(callback: () => void): void {
    this.loop.defer(callback)
  }

  start(): void {
    if (this.#dialing === null || this.#isClosing) return
    const dialing = this.#dialing
    this.#dialing = null
    this.loop.start()
    for (const dial of dialing) dial()
    for (const listener of this.#listeners) listener.resumeSoon()
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll()
    return this.#closed
  }

  /** A listener's socket becomes a connection, or is reset: nobody wants it, or there are too many. Whether it has. */
  accept(socket: Socket, local: SocketAddress, accepted: Accepted, transport = socket, secure: PortableSecure | null = null): boolean {
    const remote = peerAddress(socket, local.family)
    if (remote === undefined || this.#isClosing || this.#connections.size >= this.options.maxConnections) {
      this.loop.counters.acceptFailures++
      drop(transport)
      return false
    }
    const isBoundToOne = local.family === 'unix' || (local.host !== '0.0.0.0' && local.host !== '::')
    const connection = new PortableConnection(this, NOBODY, remote, isBoundToOne ? local : null, true, secure)
    this.#connections.add(connection)
    listenTo(socket, connection)
    if (secure === null) listenToData(socket)
    else listenToPlaintext(socket)
    this.loop.enter()
    connection.attach(socket, transport)
    const handler = this.#ask(accepted, connection)
    if (handler === undefined) connection.reset()
    else connection.begin(handler)
    this.loop.leave()
    return handler !== undefined
  }

  forget(connection: PortableConnection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#allGone?.()
  }

  forgetListener(listener: PortableListener): void {
    this.#listeners.delete(listener)
  }

  #ask(accepted: Accepted, connection: Connection): ConnectionHandler | undefined {
    try {
      return accepted(connection)
    } catch (error) {
      this.loop.report(error)
      return undefined
    }
  }

  #dial(connection: PortableConnection, address: SocketAddress, options: ConnectOptions): void {
    if (connection.isOver) return
    const onread = options.tls === undefined ? readInto(this.#readBuffer, connection) : undefined
    let socket: Socket
    try {
      if (address.family === 'unix') {
        socket = createConnection({ path: socketPath(address.path), allowHalfOpen: true, onread })
      } else {
        const { host, port, family } = address
        if (host.includes(':') !== (family === 6)) throw new RangeError(`${host} is not an address of IPv${family}`)
        const source = options.source === undefined || options.source.family === 'unix' ? undefined : options.source
        // Port 0 as a source lets the kernel choose, which is what node:net does when there is none.
        const from = source === undefined ? {} : { localAddress: source.host, localPort: source.port === 0 ? undefined : source.port }
        socket = createConnection({ host, port, family, ...from, lookup: refuseNames, allowHalfOpen: true, noDelay: true, onread })
      }
    } catch (error) {
      const reason: CloseReason = closeReason((error as NodeJS.ErrnoException).code ?? '')
      setImmediate(() => connection.gone(reason))
      return
    }
    if (options.preface !== undefined) socket.write(prefaceOf(options.preface))
    if (options.tls instanceof PortableTlsClient) this.#secure(socket, options.tls, connection)
    else {
      listenTo(socket, connection)
      listenToConnect(socket)
    }
    connection.attach(socket)
    connection.startConnectTimer(options.timeoutMs)
  }

  /** The handshake begins when the socket is connected; until then its failures are the connection's. */
  #secure(socket: Socket, tls: PortableTlsClient, connection: PortableConnection): void {
    const failed = (error: NodeJS.ErrnoException): void => connection.failed(error)
    const gone = (): void => connection.gone('done')
    socket.on('error', failed)
    socket.once('close', gone)
    socket.once('connect', () => {
      if (connection.isOver) return
      const secured = tls.secure(socket)
      socket.removeListener('close', gone)
      listenTo(secured, connection)
      listenToPlaintext(secured)
      listenToHandshake(secured)
      secured.prependOnceListener('secureConnect', () => connection.secure?.begin(secured))
      connection.attach(secured, socket)
    })
  }

  async #closeAll(): Promise<void> {
    this.#isClosing = true
    const listeners = [...this.#listeners].map((listener) => listener.closeNow())
    for (const connection of this.#connections) connection.reset()
    for (const socket of this.#shaking) socket.destroy()
    for (const socket of this.#datagrams) socket.close()
    if (this.#connections.size > 0) await new Promise<void>((resolve) => (this.#allGone = resolve))
    await Promise.all(listeners)
    this.loop.stop()
    // Detaches the arena: its pages go back even if a room keeps a view of it.
    ;(this.memory.buffer as ArrayBuffer).transfer(0)
  }
}

/** Node sends it as soon as there is a connection, before what is written later. */
function prefaceOf(preface: Preface): Buffer {
  const bytes = Buffer.alloc(preface.room)
  return bytes.subarray(0, preface.write(bytes, 0))
}
