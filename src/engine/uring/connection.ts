import { type ClientAddress, parseIp, type SocketAddress } from '../../core/index.ts'
import { errnoName, localAddress, native, peerAddress, readPeerIp, shutdownWrite } from '../../kernel/index.ts'
import type { CloseReason, Connection, ConnectionHandler, SpliceObserver } from '../connection.ts'
import { closeReason } from '../failures.ts'
import { highWaterBytes } from '../options.ts'
import type { Timer } from '../timers.ts'
import { CLOSED, CONNECTING, DRAINED, DYING, ENDED, FLUSHING, OPEN, OPENED, RECEIVED, tell } from './connection-state.ts'
import type { Loop } from './loop.ts'
import { CQE_BUFFER, CQE_BUFFER_SHIFT, ERRNO, KIND, POLLIN, POLLOUT } from './operations.ts'
import { Receiver } from './receiver.ts'
import { SendQueue } from './send-queue.ts'
import { Splice, type SpliceSource, type SpliceTarget } from './splice.ts'

/** An address that can no longer be asked for. */
const UNKNOWN: SocketAddress = { family: 4, host: '0.0.0.0', port: 0 }

/** One socket as a Connection. Its operations in flight are: at most one receive (multishot), one send, one connect. */
export class RingConnection implements Connection, SpliceSource, SpliceTarget {
  handler: ConnectionHandler
  receivedBytes = 0
  isCongested = false
  readonly secure = null
  /** -1 when there was no room for it. */
  readonly slot: number
  readonly generation: number
  readonly #loop: Loop
  readonly #queue: SendQueue
  readonly #receiver = new Receiver()
  #fd: number
  #state: number
  #reason: CloseReason = 'done'
  /** A send failed; what the peer sent before is still to be received. */
  #isBroken = false
  #isPaused = false
  #isEnding = false
  #hasEnded = false
  #peerEnded = false
  #isDirty = false
  /** Takes this connection's bytes to another one, and another one's to this. */
  #outlet: Splice | null = null
  #inlet: Splice | null = null
  #splicedBytes = 0
  #isPollingIn = false
  #isPollingOut = false
  #connectTimer: Timer | null = null
  #remote: SocketAddress | null
  #local: SocketAddress | null = null

  /** `remote` is null where it is not known without asking the kernel. */
  constructor(loop: Loop, fd: number, slot: number, handler: ConnectionHandler, remote: SocketAddress | null, isAccepted: boolean) {
    this.handler = handler
    this.slot = slot
    this.generation = loop.nextGeneration()
    this.#loop = loop
    this.#queue = new SendQueue(loop.slices, loop.blocks, loop.bump)
    this.#fd = fd
    this.#state = isAccepted ? OPEN : CONNECTING
    this.#remote = remote
  }

  get remote(): SocketAddress {
    return (this.#remote ??= peerAddress(this.#fd) ?? UNKNOWN)
  }

  readRemoteIp(out: ClientAddress): void {
    if (this.#remote === null) readPeerIp(this.#fd, out)
    else if (this.#remote.family !== 'unix') parseIp(this.#remote.host, out)
    else out.clear()
  }

  get local(): SocketAddress {
    if (this.#state === CONNECTING) return UNKNOWN
    return (this.#local ??= localAddress(this.#fd) ?? UNKNOWN)
  }

  get isOpen(): boolean {
    return this.#state === OPEN
  }

  get queuedBytes(): number {
    return this.#queue.bytes + (this.#inlet === null ? 0 : this.#inlet.waiting)
  }

  get sentBytes(): number {
    return this.#queue.sentBytes + this.#splicedBytes
  }

  reserve(length: number): number {
    return this.#loop.bump.room(length)
  }

  commit(length: number): void {
    if (length > 0 && this.#maySend()) this.#queued(this.#queue.commit(length))
  }

  send(start: number, end: number): void {
    if (start < end && this.#maySend()) this.#queued(this.#queue.append(start, end))
  }

  splice(to: Connection, bytes: number, observer: SpliceObserver): boolean {
    if (!(to instanceof RingConnection) || this.#state !== OPEN || this.#peerEnded || this.#isBroken) return false
    if (this.#outlet !== null) {
      if (bytes === 0) this.#outlet.stop()
      return true
    }
    if (to.#state !== OPEN || !to.#maySend() || to.#inlet !== null || !this.#loop.pipes.isAvailable) return false
    this.#outlet = to.#inlet = new Splice(this.#loop.pipes, this, to, bytes, observer)
    this.touch()
    return true
  }

  end(): void {
    if (!this.#maySend()) return
    this.#inlet?.stop()
    this.#isEnding = true
    this.touch()
  }

  pause(): void {
    if (this.#isPaused || this.#state > OPEN) return
    this.#isPaused = true
    this.touch()
  }

  resume(): void {
    if (!this.#isPaused || this.#state > OPEN) return
    this.#isPaused = false
    this.touch()
  }

  close(): void {
    if (this.#state === CONNECTING) this.#die('local')
    if (this.#state !== OPEN) return
    this.#state = FLUSHING
    this.#inlet?.stop()
    this.#outlet?.stop()
    this.touch()
  }

  reset(): void {
    if (this.#state >= DYING) return
    // Makes the close() that follows send RST.
    if (this.#fd !== -1) native().setLinger(this.#fd, 0)
    this.#die('local')
  }

  // From the loop.

  /** Submits the connect; the struct sockaddr is at `aside`. The timer's target is this connection. */
  beginConnect(aside: number, length: number, timer: Timer): void {
    this.#connectTimer = timer
    this.#loop.ring.connect(this.#fd, aside, length, this.slot, this.generation)
  }

  /** It could not even be tried. closed() follows. */
  fail(reason: CloseReason): void {
    if (this.#state < DYING) this.#die(reason)
  }

  /** The connect has taken too long. */
  expired(): void {
    if (this.#state === CONNECTING) this.#die('timeout')
  }

  /** Begins to receive on an accepted connection. */
  begin(): void {
    this.touch()
  }

  /** Has drained() called once the queue is at the low-water mark; false where it is now. */
  expectDrained(): boolean {
    if (this.#queue.bytes > this.#loop.options.lowWaterBytes) this.isCongested = true
    return this.isCongested
  }

  /** Buffers are there again. */
  relieve(): void {
    this.#receiver.isStarved = false
    this.touch()
  }

  /** Submits what has become due since the last time. */
  flush(): void {
    this.#isDirty = false
    if (this.#state === OPEN || this.#state === FLUSHING) {
      if (this.#queue.inFlight === 0) this.#flushQueue()
      if (this.#state < DYING) this.#armReceive()
      if (this.#outlet !== null) this.#armOutlet(this.#outlet)
    }
    if (this.#state === DYING && !this.#isBusy()) this.#finish()
  }

  // Completions.

  onConnected(result: number): void {
    const timer = this.#connectTimer
    this.#connectTimer = null
    if (timer !== null) this.#loop.timers.disarm(timer)
    if (this.#state === DYING) this.touch()
    else if (result < 0) this.#die(closeReason(errnoName(result)))
    else {
      this.#state = OPEN
      this.touch()
      this.#tell(OPENED)
    }
  }

  onReceived(result: number, flags: number): void {
    if (!this.#receiver.completed(result, flags) && (result !== 0 || this.#state === DYING)) this.touch()
    if (result > 0) this.#received(result, flags >>> CQE_BUFFER_SHIFT)
    else if ((flags & CQE_BUFFER) !== 0) this.#loop.discard(flags)
    if (result <= 0 && this.#state < DYING) this.#receiveEnded(result)
  }

  onSent(result: number): void {
    const queue = this.#queue
    queue.taken(Math.max(0, result))
    if (this.#state === DYING) {
      queue.clear()
      this.touch()
    } else if (result < 0) this.#sendFailed(result)
    else {
      if (this.#inlet !== null && queue.isEmpty) this.#inlet.targetIdle()
      if (!queue.isEmpty || this.#isEnding || this.#state === FLUSHING) this.touch()
      if (this.isCongested && queue.bytes <= this.#loop.options.lowWaterBytes && this.#state === OPEN) {
        this.isCongested = false
        this.#tell(DRAINED)
      }
    }
  }

  onReadable(): void {
    this.#isPollingIn = false
    this.#outlet?.move()
    if (this.#state === DYING) this.touch()
  }

  onWritable(): void {
    this.#isPollingOut = false
    this.#inlet?.move()
    if (this.#state === DYING) this.touch()
  }

  // From the splices that it is the source or the target of.

  get descriptor(): number {
    return this.#fd
  }

  get isIdle(): boolean {
    return this.#queue.isEmpty
  }

  get mayPull(): boolean {
    return this.#state === OPEN && !this.#isPaused
  }

  outletOver(mayFollow: boolean): void {
    this.#outlet = null
    this.#receiver.isCautious = mayFollow
    this.touch()
  }

  pullEnded(result: number): void {
    this.#receiveEnded(result)
  }

  tellSpliced(observer: SpliceObserver, count: number): void {
    try {
      observer.spliced(this, count)
    } catch (error) {
      this.#loop.report(error)
      this.fail('failed')
    }
  }

  pushed(count: number): void {
    this.#splicedBytes += count
  }

  inletOver(): void {
    this.#inlet = null
    this.touch()
  }

  pushFailed(result: number): void {
    this.#sendFailed(result)
  }

  // Inner steps.

  #received(length: number, buffer: number): void {
    const buffers = this.#loop.buffers
    const start = buffers.consume(buffer)
    this.receivedBytes += length
    // After close() what arrives is dropped: unread bytes would turn the FIN into an RST.
    if (this.#state === OPEN) this.#tell(RECEIVED, start, start + length)
    buffers.renew(buffer)
  }

  /** No further bytes come from this receive: FIN, an error, or a reason to submit it again. */
  #receiveEnded(result: number): void {
    if (result === 0) this.#finReceived()
    else if (this.#isBroken) this.#die('reset')
    else if (result === ERRNO.ENOBUFS) this.#loop.starve(this)
    else if (result !== ERRNO.ECANCELED && result !== ERRNO.EINTR && result !== ERRNO.EAGAIN) this.#die(closeReason(errnoName(result)))
  }

  #finReceived(): void {
    this.#peerEnded = true
    this.#outlet?.stop()
    if (this.#isBroken) this.#die('reset')
    if (this.#state !== OPEN) return
    this.#tell(ENDED)
    if (this.#hasEnded && this.#state === OPEN) this.#die('done')
  }

  /** The peer may have answered and gone before it read everything: receive the rest, the end of which is certain. */
  #sendFailed(result: number): void {
    const reason = closeReason(errnoName(result))
    if (result === ERRNO.EINTR || result === ERRNO.EAGAIN) this.touch()
    else if (reason === 'reset' && (this.#receiver.isInFlight || this.#outlet !== null) && !this.#isPaused && this.#state === OPEN) {
      this.#isBroken = true
      this.#queue.clear()
    } else this.#die(reason)
  }

  #flushQueue(): void {
    const { ring, low } = this.#loop
    if (this.#inlet?.isMoving === true) {
      if (this.#inlet.waiting === 0 || this.#isPollingOut) return
      this.#isPollingOut = true
      ring.poll(KIND.WRITABLE, this.#fd, POLLOUT, this.slot, this.generation)
    } else if (!this.#queue.isEmpty) this.#queue.submit(ring, this.#fd, low, this.slot, this.generation)
    else if (this.#state === FLUSHING) this.#die('done')
    else if (this.#isEnding && !this.#hasEnded) {
      this.#hasEnded = true
      shutdownWrite(this.#fd)
      if (this.#peerEnded) this.#die('done')
    }
  }

  /** Receiving goes on while flushing, so that nothing stays unread. */
  #armReceive(): void {
    const { ring, group } = this.#loop
    const isWanted = !this.#peerEnded && this.#outlet === null && !(this.#isPaused && this.#state === OPEN)
    this.#receiver.arm(isWanted, ring, this.#fd, group, this.slot, this.generation)
  }

  /** Begins the splice when its time has come, and asks when there is something to move. */
  #armOutlet(outlet: Splice): void {
    if (!outlet.isMoving && !this.#receiver.isInFlight && outlet.isTargetIdle) {
      outlet.begin()
      outlet.move()
    }
    if (!outlet.isMoving || outlet.waiting > 0 || this.#outlet === null || this.#isPollingIn || this.#isPaused) return
    this.#isPollingIn = true
    this.#loop.ring.poll(KIND.READABLE, this.#fd, POLLIN, this.slot, this.generation)
  }

  #maySend(): boolean {
    return this.#state <= OPEN && !this.#isEnding && !this.#isBroken
  }

  #queued(hasRoom: boolean): void {
    // Before a splice has begun, bytes that were received meanwhile are what is sent here.
    if (this.#inlet?.isMoving === true) this.#inlet.stop()
    const { blocks, options } = this.#loop
    if (this.#queue.bytes > highWaterBytes(options, blocks.isScarce)) this.isCongested = true
    if (hasRoom) this.touch()
    else this.#die('overload')
  }

  touch(): void {
    if (this.#isDirty) return
    this.#isDirty = true
    this.#loop.touch(this)
  }

  #tell(event: number, start = 0, end = 0): void {
    try {
      tell(this.handler, this, event, start, end)
    } catch (error) {
      this.#loop.report(error)
      this.fail('failed')
    }
  }

  #isBusy(): boolean {
    return this.#receiver.isInFlight || this.#isPollingIn || this.#isPollingOut || this.#queue.inFlight !== 0 || this.#connectTimer !== null
  }

  /** Cancels what is in flight and closes the descriptor. Nothing reaches the handler any more but closed(). */
  #die(reason: CloseReason): void {
    const { ring, timers } = this.#loop
    this.#reason = reason
    this.#state = DYING
    this.#outlet?.stop()
    this.#inlet?.abandon()
    this.#receiver.cancel(ring, this.slot, this.generation)
    if (this.#isPollingIn) ring.cancel(KIND.READABLE, this.slot, this.generation)
    if (this.#isPollingOut) ring.cancel(KIND.WRITABLE, this.slot, this.generation)
    if (this.#queue.inFlight !== 0) ring.cancel(KIND.SEND, this.slot, this.generation)
    else this.#queue.clear()
    if (this.#connectTimer !== null) {
      timers.disarm(this.#connectTimer)
      ring.cancel(KIND.CONNECT, this.slot, this.generation)
    }
    if (this.#fd !== -1) {
      this.#loop.disown(this.slot)
      ring.closeDescriptor(this.#fd)
      this.#fd = -1
    }
    this.touch()
  }

  #finish(): void {
    this.#state = CLOSED
    this.#loop.release(this)
    try {
      this.handler.closed(this, this.#reason)
    } catch (error) {
      this.#loop.report(error)
    }
  }
}
