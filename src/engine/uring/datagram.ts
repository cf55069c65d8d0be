import type { SocketAddress } from '../../core/index.ts'
import { errnoName, localAddress } from '../../kernel/index.ts'
import { type DatagramHandler, type DatagramSocket, Endpoint } from '../datagram.ts'
import { closeReason } from '../failures.ts'
import { DatagramRun, SegmentLimit } from './datagram-run.ts'
import type { Datagrams } from './datagrams.ts'
import { CQE_BUFFER, CQE_BUFFER_SHIFT, CQE_MORE, ERRNO, KIND, MSG_TRUNC } from './operations.ts'
import {
  IP_SOCKADDR_BYTES,
  PACKET_INFO_BYTES,
  readPacketInfo,
  readSocketAddress,
  writePacketInfo,
  writeSocketAddress,
} from './socket-address.ts'

/** struct io_uring_recvmsg_out: lengths of name, control data and payload, then flags. */
const MESSAGE_HEAD_BYTES = 16
/** Where in the memory beside an SQE the address and the control data go, behind the msghdr and its iovec. */
const ADDRESS_ASIDE = 128
const CONTROL_ASIDE = 192

/** What the kernel says where it cannot cut a message into datagrams: EIO, EINVAL, EMSGSIZE, EOPNOTSUPP. */
const REFUSALS: ReadonlySet<number> = new Set([-5, -22, -90, -95])

/**
 * One socket for datagrams. Receiving is one multishot operation, which brings each datagram in a block of its own:
 *
 *   connected:  | payload |
 *   bound:      | lengths, flags | address | which own address, for sockets bound to all | payload |
 */
export class RingDatagramSocket implements DatagramSocket {
  handler: DatagramHandler
  readonly source = new Endpoint()
  readonly slot: number
  readonly generation: number
  readonly #datagrams: Datagrams
  readonly #fd: number
  readonly #isConnected: boolean
  /** Bytes of control data that each datagram brings: the own address, where the socket has more than one. */
  readonly #controlBytes: number
  readonly #run: DatagramRun
  #local: SocketAddress | null = null
  #isInFlight = false
  #isClosed = false

  constructor(
    datagrams: Datagrams,
    fd: number,
    slot: number,
    generation: number,
    handler: DatagramHandler,
    isConnected: boolean,
    isWildcard: boolean,
  ) {
    this.handler = handler
    this.slot = slot
    this.generation = generation
    this.#datagrams = datagrams
    this.#fd = fd
    this.#isConnected = isConnected
    this.#controlBytes = isWildcard ? PACKET_INFO_BYTES : 0
    this.#run = new DatagramRun(isConnected ? datagrams.segmentLimit : new SegmentLimit())
  }

  get local(): SocketAddress {
    return (this.#local ??= localAddress(this.#fd) ?? { family: 4, host: '0.0.0.0', port: 0 })
  }

  send(start: number, end: number): void {
    if (this.#isClosed) return
    const { ring, low } = this.#datagrams.loop
    const run = this.#run
    this.#datagrams.borrow(start)
    if (run.takes(ring, null, end - start)) {
      run.add(ring, this.#fd, (low + start) | 0, end - start, 0, this.slot, this.generation)
      return
    }
    ring.sendDatagram(this.#fd, -1, 0, (low + start) | 0, end - start, this.slot, this.generation)
    run.begin(ring, null, end - start)
  }

  sendTo(start: number, end: number, to: Endpoint): void {
    if (this.#isClosed) return
    const { ring, low } = this.#datagrams.loop
    const run = this.#run
    this.#datagrams.borrow(start)
    // Who `source` is changes with every datagram.
    if (to !== this.source && run.takes(ring, to, end - start)) {
      run.add(ring, this.#fd, (low + start) | 0, end - start, this.#controlBytes, this.slot, this.generation)
      return
    }
    const aside = ring.nextAside()
    const length = writeSocketAddress(ring.aside, aside + ADDRESS_ASIDE, to)
    if (to.local.family === 0 || this.#controlBytes === 0) {
      ring.sendDatagram(this.#fd, aside + ADDRESS_ASIDE, length, (low + start) | 0, end - start, this.slot, this.generation)
      run.begin(ring, to, end - start)
      return
    }
    const controlLength = writePacketInfo(ring.aside, aside + CONTROL_ASIDE, to)
    ring.setIovec(aside, 0, (low + start) | 0, end - start)
    ring.sendDatagramMessage(this.#fd, aside, ADDRESS_ASIDE, length, CONTROL_ASIDE, controlLength, this.slot, this.generation)
    run.begin(ring, to, end - start)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const { ring } = this.#datagrams.loop
    if (this.#isInFlight) ring.cancel(KIND.DATAGRAM, this.slot, this.generation)
    this.#datagrams.disown(this.slot)
    ring.closeDescriptor(this.#fd)
    if (!this.#isInFlight) this.#datagrams.release(this)
  }

  /** Submits the receive. */
  begin(): void {
    if (this.#isClosed || this.#isInFlight) return
    this.#isInFlight = true
    const { ring, group } = this.#datagrams.loop
    if (this.#isConnected) ring.receiveDatagrams(this.#fd, group, this.slot, this.generation)
    else ring.receiveMessages(this.#fd, group, IP_SOCKADDR_BYTES, this.#controlBytes, this.slot, this.generation)
  }

  /** Buffers are there again. */
  relieve(): void {
    this.begin()
  }

  onReceived(result: number, flags: number): void {
    if ((flags & CQE_MORE) === 0) this.#isInFlight = false
    if ((flags & CQE_BUFFER) !== 0) this.#received(result, flags >>> CQE_BUFFER_SHIFT)
    else if (result === 0 && this.#isConnected && !this.#isClosed) this.#tellEmpty()
    if (this.#isInFlight) return
    if (this.#isClosed) this.#datagrams.release(this)
    else if (result === ERRNO.ENOBUFS) this.#datagrams.loop.starve(this)
    else {
      if (result < 0 && result !== ERRNO.ECANCELED && result !== ERRNO.EINTR && result !== ERRNO.EAGAIN) this.failed(result)
      this.begin()
    }
  }

  /** Several datagrams were to go as one message, and are lost: the way to the receiver is too narrow for them, or a device cannot do it. */
  runFailed(result: number): void {
    if (REFUSALS.has(result)) this.#run.refused()
    this.failed(result)
  }

  /** A send or receive brought an error; a connected socket learns in this way that its peer is not there. */
  failed(result: number): void {
    if (this.#isClosed) return
    const reason = closeReason(errnoName(result))
    if (reason !== 'refused' && reason !== 'unreachable') {
      this.#datagrams.loop.counters.datagramsDropped++
      return
    }
    try {
      this.handler.failed(this, reason)
    } catch (error) {
      this.#datagrams.loop.report(error)
    }
  }

  #received(result: number, buffer: number): void {
    const { buffers } = this.#datagrams.loop
    const start = buffers.consume(buffer)
    if (!this.#isClosed && result >= 0) {
      if (!this.#isConnected) this.#receivedMessage(start, start + result)
      // One that fills the block was cut.
      else if (result >= this.#datagrams.loop.options.blockBytes) this.#datagrams.loop.counters.datagramsDropped++
      else this.#tell(start, start + result)
    }
    buffers.renew(buffer)
  }

  #receivedMessage(start: number, end: number): void {
    const { memory, counters } = this.#datagrams.loop
    const name = start + MESSAGE_HEAD_BYTES
    const control = name + IP_SOCKADDR_BYTES
    const payload = control + this.#controlBytes
    // The kernel does not cut what it has room for; a datagram that was cut is worth nothing.
    if (payload > end || (memory[start + 12] & MSG_TRUNC) !== 0) {
      counters.datagramsDropped++
      return
    }
    readSocketAddress(memory, name, this.source)
    if (this.#controlBytes > 0) {
      const controlLength = memory[start + 4] | (memory[start + 5] << 8)
      readPacketInfo(memory, control, control + Math.min(controlLength, this.#controlBytes), this.source)
    }
    this.#tell(payload, end)
  }

  /** The kernel takes no buffer for an empty datagram. Who is told of one may hold its block all the same. */
  #tellEmpty(): void {
    const { blocks, counters } = this.#datagrams.loop
    const start = blocks.take()
    if (start === -1) {
      counters.datagramsDropped++
      return
    }
    this.#tell(start, start)
    blocks.release(start)
  }

  #tell(start: number, end: number): void {
    try {
      this.handler.received(this, start, end)
    } catch (error) {
      this.#datagrams.loop.report(error)
    }
  }
}
