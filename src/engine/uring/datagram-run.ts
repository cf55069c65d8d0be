import type { Endpoint } from '../datagram.ts'
import type { Ring } from './ring.ts'
import { writePacketInfo, writeSocketAddress } from './socket-address.ts'

/** Datagrams in one message. */
const MAX_SEGMENTS = 16
/** Longest payload that passes Ethernet whole, over IPv6 too. */
const MAX_SEGMENT_BYTES = 1452
/** In the memory beside an SQE, behind the msghdr and MAX_SEGMENTS iovecs: the address, and the control data. */
const ADDRESS_ASIDE = 336
const CONTROL_ASIDE = 368
/** In a struct msghdr: how many iovecs, and how long the control data are. */
const IOVECS_AT = 24
const CONTROL_LENGTH_AT = 40
/** struct cmsghdr with a 16-bit number, aligned (udp(7), UDP_SEGMENT). */
const SEGMENT_BYTES = 24
const CMSG_BYTES = 16
const SOL_UDP = 17
const UDP_SEGMENT = 103

/**
 * Payloads that go together. The kernel cuts a message into packets, not into fragments: where the way is too narrow for one, it refuses the message. Known for one
 * bound socket, or for all connected ones together, so that not every session finds it out anew.
 */
export class SegmentLimit {
  bytes = MAX_SEGMENT_BYTES
}

/**
 * Datagrams of one socket to one receiver that come one behind the other, within one submission: from the second on they are one message, which the
 * kernel takes through its layers once and cuts at the end (generic segmentation offload). All are of the size of the first, but for
 * the last, which may be shorter.
 *
 *   SEND a │ SENDMSG b c d …   the message grows in the memory beside its SQE until it is submitted
 */
export class DatagramRun {
  /** -1 where the last datagram went by itself. */
  #aside = -1
  #submission = -1
  #segmentBytes = 0
  /** The same of the last message. */
  #messageBytes = 0
  #count = 0
  #controlBytes = 0
  #to: Endpoint | null = null
  /** Another datagram may follow. */
  #isOpen = false
  readonly #limit: SegmentLimit

  constructor(limit: SegmentLimit) {
    this.#limit = limit
  }

  /** Takes note of a datagram that goes by itself. `to` is null for a connected socket. */
  begin(ring: Ring, to: Endpoint | null, length: number): void {
    this.#aside = -1
    this.#submission = ring.submissions
    this.#segmentBytes = length
    this.#to = to
    this.#isOpen = length > 0 && length <= this.#limit.bytes
  }

  /** Whether a datagram may go with those before. */
  takes(ring: Ring, to: Endpoint | null, length: number): boolean {
    return this.#isOpen && this.#submission === ring.submissions && to === this.#to && length <= this.#segmentBytes && length > 0
  }

  /** Puts a datagram that it takes into the message, which is made for the first of them. `low` is the low word of its address. */
  add(ring: Ring, fd: number, low: number, length: number, ownAddressBytes: number, slot: number, generation: number): void {
    if (this.#aside === -1) {
      this.#make(ring, fd, low, length, ownAddressBytes, slot, generation)
    } else {
      ring.setIovec(this.#aside, this.#count, low, length)
      this.#count++
      ring.aside[this.#aside + IOVECS_AT] = this.#count
      if (this.#count === 2) this.#segment(ring.aside)
    }
    if (length < this.#segmentBytes) this.#isOpen = false
    // The next one begins another message.
    else if (this.#count === MAX_SEGMENTS) this.#aside = -1
  }

  /** The kernel refused the last message: from now on datagrams as long as its go by themselves. */
  refused(): void {
    this.#limit.bytes = Math.min(this.#limit.bytes, this.#messageBytes - 1)
  }

  #make(ring: Ring, fd: number, low: number, length: number, ownAddressBytes: number, slot: number, generation: number): void {
    const aside = ring.nextAside()
    const to = this.#to
    const addressBytes = to === null ? 0 : writeSocketAddress(ring.aside, aside + ADDRESS_ASIDE, to)
    this.#controlBytes =
      to === null || ownAddressBytes === 0 || to.local.family === 0 ? 0 : writePacketInfo(ring.aside, aside + CONTROL_ASIDE, to)
    ring.setIovec(aside, 0, low, length)
    ring.sendDatagramMessage(fd, aside, ADDRESS_ASIDE, addressBytes, CONTROL_ASIDE, this.#controlBytes, slot, generation, true)
    // Making room may have submitted everything; what came before is under way, and this is the first of a message all the same.
    this.#submission = ring.submissions
    this.#aside = aside
    this.#count = 1
    this.#messageBytes = this.#segmentBytes
  }

  /** Says how long each datagram is, behind the control data that there are. */
  #segment(memory: Uint8Array): void {
    const at = this.#aside + CONTROL_ASIDE + this.#controlBytes
    memory.fill(0, at, at + SEGMENT_BYTES)
    memory[at] = CMSG_BYTES + 2
    memory[at + 8] = SOL_UDP
    memory[at + 12] = UDP_SEGMENT
    memory[at + CMSG_BYTES] = this.#segmentBytes
    memory[at + CMSG_BYTES + 1] = this.#segmentBytes >>> 8
    memory[this.#aside + CONTROL_LENGTH_AT] = this.#controlBytes + SEGMENT_BYTES
  }
}
