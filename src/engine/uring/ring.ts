import { checked, errnoName, type NativeRing, native, RING_SHARED } from '../../kernel/index.ts'
import type { EngineCounters } from '../counters.ts'
import {
  ACCEPT_MULTISHOT,
  ERRNO,
  KIND,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  OP,
  POLL_FIRST,
  POLLIN,
  RECV_MULTISHOT,
  SETUP_FLAGS,
  SLOT_SHIFT,
  SOCK_CLOEXEC,
  SQ_CQ_OVERFLOW,
  SQE_BUFFER_SELECT,
  SQE_SKIP_SUCCESS,
} from './operations.ts'

/** Takes completions. Must not throw. */
export interface CompletionSink {
  complete(kind: number, slot: number, generation: number, result: number, flags: number): void
}

export interface RingOptions {
  /** Powers of two: operations submitted at once, and completions that the kernel can post before it must keep some back. */
  readonly sqEntries: number
  readonly cqEntries: number
  /** Descriptors that the kernel closes with the thread. */
  readonly descriptors: number
}

const SQE_WORDS_SHIFT = 4
const CQE_WORDS_SHIFT = 2
/** Beside each SQE, in memory that the kernel reads when it is submitted: a struct sockaddr, or a msghdr and its iovecs. */
const ASIDE_BYTES = 512
const MSGHDR_BYTES = 64
/** Slices in one SENDMSG. */
export const MAX_IOVECS = (ASIDE_BYTES - MSGHDR_BYTES) / 16

/**
 * A ring of io_uring, driven from here: SQEs are written into and CQEs read from the memory that the kernel shares, and
 * enter() is the one system call. Everything happens on the thread that made it (SINGLE_ISSUER).
 *
 *   push... ──▶ SQEs ──enter()──▶ kernel ──enter()──▶ CQEs ──drain()──▶ sink
 *
 * A full submission queue submits early; completions that do not fit wait in the kernel (IORING_FEAT_NODROP).
 * Addresses are given as the low word; all of them share `high`, the arena's high word, but those of the aside memory.
 */
export class Ring {
  readonly descriptors: Int32Array
  /** The aside memory, 512 bytes for each SQE. */
  readonly aside: Uint8Array
  readonly #native: NativeRing
  readonly #counters: EngineCounters
  readonly #indices: Int32Array
  readonly #sqes: Int32Array
  readonly #clocks: Float64Array
  readonly #control: Int32Array
  readonly #aside32: Int32Array
  readonly #asideLow: number
  readonly #asideHigh: number
  readonly #high: number
  readonly #sqTailAt: number
  readonly #sqFlagsAt: number
  readonly #sqEntries: number
  readonly #cqHeadAt: number
  readonly #cqTailAt: number
  readonly #cqesAt: number
  readonly #cqMask: number
  /** Counts calls of enter(): what was pushed under another number may be gone. */
  submissions = 0
  #tail: number
  #pending = 0

  /** `high` is the high word of the addresses that operations name. Throws SYSTEM_CALL_FAILED. */
  constructor(options: RingOptions, high: number, counters: EngineCounters) {
    const ring = checked(
      'io_uring_setup',
      native().createRing(options.sqEntries, options.cqEntries, SETUP_FLAGS, options.descriptors, KIND.ACCEPT),
    )
    this.#native = ring
    this.#counters = counters
    this.#indices = new Int32Array(ring.rings, 0, ring.rings.byteLength >> 2)
    this.#sqes = new Int32Array(ring.sqes)
    this.#clocks = new Float64Array(ring.shared, 0, 2)
    this.#control = new Int32Array(ring.shared, 0, RING_SHARED.descriptors)
    this.descriptors = new Int32Array(ring.shared, RING_SHARED.controlBytes, options.descriptors)
    const aside = checked('mmap', native().mapMemory(ring.sqEntries * ASIDE_BYTES))
    this.aside = new Uint8Array(aside.buffer)
    this.#aside32 = new Int32Array(aside.buffer)
    this.#asideLow = aside.low | 0
    this.#asideHigh = aside.high
    this.#high = high
    this.#sqTailAt = ring.sqTailAt >> 2
    this.#sqFlagsAt = ring.sqFlagsAt >> 2
    this.#sqEntries = ring.sqEntries
    this.#cqHeadAt = ring.cqHeadAt >> 2
    this.#cqTailAt = ring.cqTailAt >> 2
    this.#cqesAt = ring.cqesAt >> 2
    this.#cqMask = ring.cqEntries - 1
    this.#tail = this.#indices[this.#sqTailAt]
    for (let i = 0; i < ring.sqEntries; i++) this.#indices[(ring.sqArrayAt >> 2) + i] = i
  }

  /** SQEs that are not submitted yet. */
  get pending(): number {
    return this.#pending
  }

  get monotonicMs(): number {
    return this.#clocks[RING_SHARED.monotonicMs]
  }

  get wallMs(): number {
    return this.#clocks[RING_SHARED.wallMs]
  }

  /** Whether the last enter() that was to wait did not, because libuv has something to do. */
  get isLibuvDue(): boolean {
    return this.#control[RING_SHARED.libuvDue] !== 0
  }

  /** For the time outside of turns; enter() does the same. */
  readClocks(): void {
    this.#clocks[RING_SHARED.monotonicMs] = Number(process.hrtime.bigint()) / 1e6
    this.#clocks[RING_SHARED.wallMs] = Date.now()
  }

  registerBuffers(group: number, entries: number): ArrayBuffer {
    return checked('IORING_REGISTER_PBUF_RING', this.#native.registerBuffers(group, entries))
  }

  /** Submits what is pending and waits for `wait` completions or `timeoutMs` (-1: for ever), unless there are some already. */
  enter(wait: number, timeoutMs: number): void {
    this.submissions++
    this.#indices[this.#sqTailAt] = this.#tail
    const result = this.#native.enter(this.#pending, wait, timeoutMs)
    if (result >= 0) this.#pending -= result
    else this.#failed(result)
    if ((this.#indices[this.#sqFlagsAt] & SQ_CQ_OVERFLOW) !== 0) this.#counters.completionOverflows++
  }

  /** Whatever is negative here submitted nothing. */
  #failed(result: number): void {
    switch (result) {
      // No memory for requests, or completions wait to be drained: drain() and the next enter() go on.
      case ERRNO.EINTR:
      case ERRNO.ETIME:
      case ERRNO.EAGAIN:
      case ERRNO.EBUSY:
        return
      default:
        checked('io_uring_enter', result)
    }
  }

  /** Hands the completions that there are to the sink and returns how many; those that come in meanwhile wait for the next turn. */
  drain(sink: CompletionSink): number {
    const indices = this.#indices
    const headAt = this.#cqHeadAt
    const tail = indices[this.#cqTailAt]
    let head = indices[headAt]
    let count = 0
    while (head !== tail) {
      const at = this.#cqesAt + ((head & this.#cqMask) << CQE_WORDS_SHIFT)
      const tag = indices[at]
      const generation = indices[at + 1]
      const result = indices[at + 2]
      const flags = indices[at + 3]
      // Given back before the sink runs: it may submit early, and the kernel then needs the room.
      head = (head + 1) | 0
      indices[headAt] = head
      sink.complete(tag & 0xff, tag >>> SLOT_SHIFT, generation, result, flags)
      count++
    }
    return count
  }

  accept(fd: number, slot: number, generation: number): void {
    const flags = OP.ACCEPT | (ACCEPT_MULTISHOT << 16)
    this.#push(flags, fd, 0, 0, 0, 0, 0, SOCK_CLOEXEC, (slot << SLOT_SHIFT) | KIND.ACCEPT, generation, 0)
  }

  /** Once or, multishot, until it is cancelled; the kernel takes a buffer of the group for each completion. */
  receive(fd: number, group: number, isMultishot: boolean, slot: number, generation: number): void {
    const flags = OP.RECV | (SQE_BUFFER_SELECT << 8) | (isMultishot ? RECV_MULTISHOT << 16 : 0)
    this.#push(flags, fd, 0, 0, 0, 0, 0, 0, (slot << SLOT_SHIFT) | KIND.RECEIVE, generation, group)
  }

  send(fd: number, low: number, length: number, pollFirst: boolean, slot: number, generation: number): void {
    const flags = pollFirst ? OP.SEND | (POLL_FIRST << 16) : OP.SEND
    this.#push(flags, fd, 0, 0, low, this.#high, length, MSG_NOSIGNAL, (slot << SLOT_SHIFT) | KIND.SEND, generation, 0)
  }

  /** The index into `aside`, of the SQE that the next push writes. Nothing may be pushed in between. */
  nextAside(): number {
    if (this.#pending >= this.#sqEntries) this.#submitEarly()
    return (this.#tail & (this.#sqEntries - 1)) * ASIDE_BYTES
  }

  /** Writes one iovec for sendMessage(). */
  setIovec(aside: number, index: number, low: number, length: number): void {
    const at = (aside + MSGHDR_BYTES + index * 16) >> 2
    const words = this.#aside32
    words[at] = low
    words[at + 1] = this.#high
    words[at + 2] = length
    words[at + 3] = 0
  }

  /** Sends the iovecs that were set, after nextAside(). */
  sendMessage(fd: number, aside: number, iovecs: number, pollFirst: boolean, slot: number, generation: number): void {
    const at = aside >> 2
    const words = this.#aside32
    // struct msghdr: name, namelen, iov, iovlen, control, controllen, flags
    for (let i = 0; i < MSGHDR_BYTES / 4; i++) words[at + i] = 0
    words[at + 4] = (this.#asideLow + aside + MSGHDR_BYTES) | 0
    words[at + 5] = this.#asideHigh
    words[at + 6] = iovecs
    const flags = pollFirst ? OP.SENDMSG | (POLL_FIRST << 16) : OP.SENDMSG
    this.#push(
      flags,
      fd,
      0,
      0,
      (this.#asideLow + aside) | 0,
      this.#asideHigh,
      1,
      MSG_NOSIGNAL,
      (slot << SLOT_SHIFT) | KIND.SEND,
      generation,
      0,
    )
  }

  /** Multishot; each completion is one datagram, behind a struct io_uring_recvmsg_out, its address and its control data. */
  receiveMessages(fd: number, group: number, nameBytes: number, controlBytes: number, slot: number, generation: number): void {
    const aside = this.nextAside()
    const words = this.#aside32
    const at = aside >> 2
    for (let i = 0; i < MSGHDR_BYTES / 4; i++) words[at + i] = 0
    words[at + 2] = nameBytes
    words[at + 10] = controlBytes
    const flags = OP.RECVMSG | (SQE_BUFFER_SELECT << 8) | (RECV_MULTISHOT << 16)
    const low = (this.#asideLow + aside) | 0
    this.#push(flags, fd, 0, 0, low, this.#asideHigh, 1, 0, (slot << SLOT_SHIFT) | KIND.DATAGRAM, generation, group)
  }

  /** The same for a connected socket: nothing but the datagram. */
  receiveDatagrams(fd: number, group: number, slot: number, generation: number): void {
    const flags = OP.RECV | (SQE_BUFFER_SELECT << 8) | (RECV_MULTISHOT << 16)
    this.#push(flags, fd, 0, 0, 0, 0, 0, 0, (slot << SLOT_SHIFT) | KIND.DATAGRAM, generation, group)
  }

  /** Sends one datagram without waiting, to the struct sockaddr at `address` in the aside memory, -1 for the peer. A completion tells failure only. */
  sendDatagram(fd: number, address: number, addressBytes: number, low: number, length: number, slot: number, generation: number): void {
    const flags = OP.SEND | (SQE_SKIP_SUCCESS << 8)
    const tag = (slot << SLOT_SHIFT) | KIND.DATAGRAM_SEND
    const addressLow = address === -1 ? 0 : (this.#asideLow + address) | 0
    const addressHigh = address === -1 ? 0 : this.#asideHigh
    this.#push(flags, fd, addressLow, addressHigh, low, this.#high, length, MSG_NOSIGNAL | MSG_DONTWAIT, tag, generation, 0)
    // addr_len, in the place of the file index.
    this.#sqes[(((this.#tail - 1) & (this.#sqEntries - 1)) << SQE_WORDS_SHIFT) + 11] = addressBytes
  }

  /**
   * The same as a message: address and control data lie in the aside memory of the SQE, the iovec was set. After nextAside(). `isRun` is told with
   * its failure.
   */
  sendDatagramMessage(
    fd: number,
    aside: number,
    address: number,
    addressBytes: number,
    control: number,
    controlBytes: number,
    slot: number,
    generation: number,
    isRun = false,
  ): void {
    const at = aside >> 2
    const words = this.#aside32
    for (let i = 0; i < MSGHDR_BYTES / 4; i++) words[at + i] = 0
    words[at] = (this.#asideLow + aside + address) | 0
    words[at + 1] = this.#asideHigh
    words[at + 2] = addressBytes
    words[at + 4] = (this.#asideLow + aside + MSGHDR_BYTES) | 0
    words[at + 5] = this.#asideHigh
    words[at + 6] = 1
    words[at + 8] = (this.#asideLow + aside + control) | 0
    words[at + 9] = this.#asideHigh
    words[at + 10] = controlBytes
    const flags = OP.SENDMSG | (SQE_SKIP_SUCCESS << 8)
    const tag = (slot << SLOT_SHIFT) | (isRun ? KIND.DATAGRAM_RUN : KIND.DATAGRAM_SEND)
    this.#push(flags, fd, 0, 0, (this.#asideLow + aside) | 0, this.#asideHigh, 1, MSG_NOSIGNAL | MSG_DONTWAIT, tag, generation, 0)
  }

  /** Connects a socket for datagrams, which is done when the SQE was submitted. A completion tells failure only. */
  connectDatagrams(fd: number, aside: number, length: number, slot: number, generation: number): void {
    const low = (this.#asideLow + aside) | 0
    const tag = (slot << SLOT_SHIFT) | KIND.DATAGRAM_SEND
    this.#push(OP.CONNECT | (SQE_SKIP_SUCCESS << 8), fd, length, 0, low, this.#asideHigh, 0, 0, tag, generation, 0)
  }

  /** Connects to the struct sockaddr of `length` bytes that was written to the aside memory, after nextAside(). */
  connect(fd: number, aside: number, length: number, slot: number, generation: number): void {
    const low = (this.#asideLow + aside) | 0
    this.#push(OP.CONNECT, fd, length, 0, low, this.#asideHigh, 0, 0, (slot << SLOT_SHIFT) | KIND.CONNECT, generation, 0)
  }

  /** One completion of `kind` when the descriptor is ready for POLLIN or POLLOUT, or has failed. */
  poll(kind: number, fd: number, events: number, slot: number, generation: number): void {
    this.#push(OP.POLL_ADD, fd, 0, 0, 0, 0, 0, events, (slot << SLOT_SHIFT) | kind, generation, 0)
  }

  /** Cancels one operation of the slot; its own completion tells. */
  cancel(kind: number, slot: number, generation: number): void {
    const flags = OP.ASYNC_CANCEL | (SQE_SKIP_SUCCESS << 8)
    this.#push(flags, -1, 0, 0, (slot << SLOT_SHIFT) | kind, generation, 0, 0, KIND.NONE, 0, 0)
  }

  /** Closes the descriptor after everything that was pushed before. */
  closeDescriptor(fd: number): void {
    this.#push(OP.CLOSE | (SQE_SKIP_SUCCESS << 8), fd, 0, 0, 0, 0, 0, 0, KIND.NONE, 0, 0)
  }

  /** One completion of KIND.LIBUV when libuv has something to do. */
  pollLibuv(): void {
    this.#push(OP.POLL_ADD, this.#native.libuvDescriptor, 0, 0, 0, 0, 0, POLLIN, KIND.LIBUV, 0, 0)
  }

  /** Closes the ring. Nothing may be called afterwards. */
  close(): void {
    this.#native.close()
  }

  #push(
    head: number,
    fd: number,
    offsetLow: number,
    offsetHigh: number,
    low: number,
    high: number,
    length: number,
    operationFlags: number,
    tag: number,
    generation: number,
    group: number,
  ): void {
    if (this.#pending >= this.#sqEntries) this.#submitEarly()
    const at = (this.#tail & (this.#sqEntries - 1)) << SQE_WORDS_SHIFT
    const sqes = this.#sqes
    sqes[at] = head
    sqes[at + 1] = fd
    sqes[at + 2] = offsetLow
    sqes[at + 3] = offsetHigh
    sqes[at + 4] = low
    sqes[at + 5] = high
    sqes[at + 6] = length
    sqes[at + 7] = operationFlags
    sqes[at + 8] = tag
    sqes[at + 9] = generation
    sqes[at + 10] = group
    sqes[at + 11] = 0
    sqes[at + 12] = 0
    sqes[at + 13] = 0
    sqes[at + 14] = 0
    sqes[at + 15] = 0
    this.#tail = (this.#tail + 1) | 0
    this.#pending++
  }

  #submitEarly(): void {
    // The kernel refuses with EAGAIN or EBUSY only while it is short of memory, and each try gives it time.
    for (let tries = 0; tries < 1000 && this.#pending >= this.#sqEntries; tries++) this.enter(0, 0)
    if (this.#pending >= this.#sqEntries) throw new Error(`io_uring takes no submissions: ${errnoName(ERRNO.EAGAIN)}`)
  }
}
