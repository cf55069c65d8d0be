import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { ClientAddress, formatIp, parseIp, type SocketAddress } from '../../core/index.ts'
import { type DatagramHandler, type DatagramSocket, Endpoint } from '../datagram.ts'
import { closeReason, listenError } from '../failures.ts'
import type { PortableEngine } from './engine.ts'

/** Datagrams that may wait until a socket is connected, which Node does in its next turn. */
const MAX_EARLY = 64

/** One socket of node:dgram. Which own address a datagram was sent to is not known here: answers come from the one that routing chooses. */
export class PortableDatagramSocket implements DatagramSocket {
  handler: DatagramHandler
  readonly source = new Endpoint()
  readonly #engine: PortableEngine
  readonly #socket: Socket
  readonly #isConnected: boolean
  /** Of a connected socket. */
  readonly #peer = new ClientAddress()
  #local: SocketAddress
  #isReady = false
  #isClosed = false
  /** Pairs of offsets, held, that were sent before the socket was connected. */
  #early: number[] = []

  constructor(engine: PortableEngine, address: SocketAddress, handler: DatagramHandler, isConnected: boolean, reusePort = false) {
    this.#engine = engine
    this.handler = handler
    this.#isConnected = isConnected
    this.#local = address
    const isIPv6 = address.family === 6
    // reusePort is newer than the types of Node that this is built with.
    const options = { type: isIPv6 ? 'udp6' : 'udp4', ipv6Only: isIPv6, reusePort } as const
    this.#socket = createSocket(options)
    this.#socket.on('message', (bytes, from) => this.#arrived(bytes, from))
  }

  get local(): SocketAddress {
    return this.#local
  }

  bind(): Promise<void> {
    const asked = this.#local
    return new Promise((resolve, reject) => {
      if (asked.family === 'unix') {
        reject(listenError(asked, 'EINVAL'))
        return
      }
      this.#socket.once('error', (error: NodeJS.ErrnoException) => reject(listenError(asked, error.code ?? error.message, error)))
      this.#socket.bind({ address: asked.host, port: asked.port, exclusive: true }, () => {
        this.#socket.removeAllListeners('error')
        this.#socket.on('error', (error) => this.#failed(error))
        this.#local = { ...asked, port: this.#socket.address().port }
        this.#isReady = true
        resolve()
      })
    })
  }

  connect(): void {
    const to = this.#local
    if (to.family !== 'unix') parseIp(to.host.replace(/%.*/, ''), this.#peer)
    this.#socket.on('error', (error) => this.#failed(error))
    if (to.family === 'unix') return
    // Not as a callback: that is called where there is no route, too.
    this.#socket.once('connect', () => this.#connected())
    this.#socket.connect(to.port, to.host)
  }

  send(start: number, end: number): void {
    if (this.#isClosed) return
    this.#engine.blocks.hold(start)
    if (this.#isReady) this.#transmit(start, end)
    else if (this.#early.length < 2 * MAX_EARLY) this.#early.push(start, end)
    else this.#sent(start, new Error('not connected'))
  }

  sendTo(start: number, end: number, to: Endpoint): void {
    if (this.#isClosed) return
    const { blocks, arena } = this.#engine
    const host = formatIp(to.address)
    blocks.hold(start)
    this.#socket.send(arena.subarray(start, end), to.port, to.scope === 0 ? host : `${host}%${to.scope}`, (error) =>
      this.#sent(start, error),
    )
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#engine.forgetDatagrams(this)
    // What was sent before it was connected still goes out.
    if (this.#early.length === 0) this.#closeSoon()
  }

  /** After what was given to the socket in this turn. */
  #closeSoon(): void {
    setImmediate(() => this.#socket.close())
  }

  #connected(): void {
    this.#isReady = true
    const early = this.#early
    this.#early = []
    if (!this.#engine.isOver) for (let i = 0; i < early.length; i += 2) this.#transmit(early[i], early[i + 1])
    // close() left that to us.
    if (this.#isClosed && early.length > 0) this.#closeSoon()
  }

  #transmit(start: number, end: number): void {
    this.#socket.send(this.#engine.arena.subarray(start, end), (error) => this.#sent(start, error))
  }

  #arrived(bytes: Buffer, from: RemoteInfo): void {
    if (this.#isClosed) return
    this.#readSource(from)
    // Node binds a socket before it connects it: in between, anybody is heard.
    if (this.#isConnected && !this.#isFromPeer) return
    const { loop, blocks, memory } = this.#engine
    loop.enter()
    const at = bytes.length > blocks.blockBytes ? -1 : loop.roomToReceive(bytes.length)
    if (at === -1) loop.counters.datagramsDropped++
    else {
      memory.set(bytes, at)
      loop.bump.advance(bytes.length)
      this.#tell(at, at + bytes.length)
    }
    loop.leave()
  }

  get #isFromPeer(): boolean {
    const peer = this.#local
    return peer.family !== 'unix' && this.source.port === peer.port && this.source.address.equals(this.#peer)
  }

  #readSource(from: RemoteInfo): void {
    const zone = from.address.indexOf('%')
    parseIp(from.address, this.source.address)
    this.source.port = from.port
    this.source.scope = zone === -1 ? 0 : Number(from.address.slice(zone + 1)) || 0
  }

  #tell(start: number, end: number): void {
    const { blocks, loop } = this.#engine
    blocks.hold(start)
    try {
      this.handler.received(this, start, end)
    } catch (error) {
      loop.report(error)
    }
    blocks.release(start)
  }

  #sent(start: number, error: Error | null): void {
    if (this.#engine.isOver) return
    this.#engine.blocks.release(start)
    if (error !== null) this.#failed(error)
  }

  /** It cannot be connected. */
  #dropEarly(): void {
    if (!this.#engine.isOver) for (let i = 0; i < this.#early.length; i += 2) this.#engine.blocks.release(this.#early[i])
    this.#early = []
    if (this.#isClosed) this.#closeSoon()
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (!this.#isReady && this.#early.length > 0) this.#dropEarly()
    if (this.#isClosed) return
    const reason = closeReason(error.code ?? '')
    const { loop } = this.#engine
    if (reason !== 'refused' && reason !== 'unreachable') {
      loop.counters.datagramsDropped++
      return
    }
    loop.enter()
    try {
      this.handler.failed(this, reason)
    } catch (thrown) {
      loop.report(thrown)
    }
    loop.leave()
  }
}
