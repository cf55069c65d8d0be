import { EvenerError } from '../../core/index.ts'
import { errnoName } from '../errno.ts'

/** What the addon offers of netlink; see native/netlink.c. */
export interface NativeNetlink {
  netlinkOpen(protocol: number): number
  netlinkSend(fd: number, bytes: Uint8Array): number
  netlinkReceive(fd: number, bytes: Uint8Array): number
  netlinkClose(fd: number): number
}

export const NETLINK = { ROUTE: 0, GENERIC: 16 } as const
export const FLAG = { REQUEST: 1, ACK: 4, DUMP: 0x300, REPLACE: 0x100, EXCLUSIVE: 0x200, CREATE: 0x400 } as const
const MESSAGE_ERROR = 2
const MESSAGE_DONE = 3
const FLAG_MULTI = 2
export const HEADER_BYTES = 16
const RECEIVE_BYTES = 1 << 16

/** One request and its answers at a time: netlink for control code, never on the path of packets. */
export class NetlinkSocket {
  readonly #native: NativeNetlink
  readonly #fd: number
  readonly #buffer = new Uint8Array(RECEIVE_BYTES)
  #sequence = 0

  constructor(native: NativeNetlink, protocol: number) {
    this.#native = native
    this.#fd = native.netlinkOpen(protocol)
    if (this.#fd < 0) throw new EvenerError('NETLINK_FAILED', `opening a netlink socket: ${errnoName(this.#fd)}`)
  }

  /** Sends one message (header included, its sequence number is set here) and gives the payloads of the answers. Throws on refusal. */
  request(message: Uint8Array, what: string): Uint8Array[] {
    const result = this.tryRequest(message)
    if (typeof result !== 'number') return result
    const privileges = errnoName(result) === 'EPERM' ? ' (CAP_NET_ADMIN is needed)' : ''
    throw new EvenerError('NETLINK_FAILED', `${what}: ${errnoName(result)}${privileges}`)
  }

  /** As request(), but a refusal is a value: -errno. */
  tryRequest(message: Uint8Array): Uint8Array[] | number {
    const sequence = ++this.#sequence
    new DataView(message.buffer, message.byteOffset).setUint32(8, sequence, true)
    const sent = this.#native.netlinkSend(this.#fd, message)
    if (sent < 0) return sent
    const answers: Uint8Array[] = []
    for (;;) {
      const length = this.#native.netlinkReceive(this.#fd, this.#buffer)
      if (length < 0) return length
      const end = readDatagram(this.#buffer.subarray(0, Math.min(length, this.#buffer.length)), sequence, answers)
      if (end !== undefined) return end < 0 ? end : answers
    }
  }

  close(): void {
    this.#native.netlinkClose(this.#fd)
  }
}

/** Collects payloads of one datagram. 0 when the answer is complete, -errno when it was refused, undefined when more is to come. */
function readDatagram(bytes: Uint8Array, sequence: number, answers: Uint8Array[]): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  let end: number | undefined
  while (at + HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(at, true)
    if (length < HEADER_BYTES || at + length > bytes.length) return end
    const type = view.getUint16(at + 4, true)
    if (view.getUint32(at + 8, true) === sequence) {
      if (type === MESSAGE_ERROR) return view.getInt32(at + HEADER_BYTES, true)
      if (type === MESSAGE_DONE) return 0
      answers.push(bytes.slice(at + HEADER_BYTES, at + length))
      if ((view.getUint16(at + 6, true) & FLAG_MULTI) === 0) end = 0
    }
    at += (length + 3) & ~3
  }
  return end
}
