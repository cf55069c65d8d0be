import { EvenerError } from '../core/index.ts'
import { checked } from './errno.ts'
import { native } from './native.ts'

/** What a handshake agreed on. */
export interface NativeTlsInfo {
  readonly version: string
  readonly cipher: string
  readonly group: string
  readonly serverName: string
  readonly protocol: string
  readonly isResumed: number
  readonly peerSubject: string
}

/**
 * One thread's TLS, as native/tls.h draws it. Contexts, sessions and seats are numbers; offsets are into the arena. Functions
 * return -errno on failure; those of contexts -1 where OpenSSL refuses, and reason() says why.
 */
export interface NativeTls {
  openContext(isServer: 0 | 1, id: Uint8Array): number
  closeContext(context: number): number
  addCertificate(context: number, chain: Uint8Array, key: Uint8Array, ocsp: Uint8Array | undefined): number
  setVersions(context: number, minimum: number, maximum: number): number
  setCiphers(context: number, ciphers: string, suites: string, groups: string): number
  setProtocols(context: number, wire: Uint8Array): number
  setTrust(context: number, authorities: Uint8Array | undefined, mode: number): number
  setServer(context: number, usesTickets: 0 | 1, wantsHello: 0 | 1): number
  reason(): string
  addSeat(): number
  removeSeat(seat: number): number
  open(context: number, serverName: string, expectedName: string, seat: number): number
  close(session: number): number
  useContext(session: number, context: number): number
  receive(session: number, start: number, end: number, plain: number, plainEnd: number, out: number, outEnd: number): number
  send(session: number, count: number, out: number, outEnd: number): number
  end(session: number, out: number, outEnd: number): number
  take(session: number, out: number, outEnd: number): number
  hello(session: number): Uint8Array
  info(session: number): NativeTlsInfo
  failure(session: number): string
}

/** Indices into the results: what the last call left there. Slices for send() begin at `slices`. */
export const TLS_RESULT = { plainBytes: 0, outBytes: 1, overflowBytes: 2, inLeft: 3, slices: 16 } as const
/** Bits that receive() returns. */
export const TLS_BIT = { done: 1, hello: 2, ended: 4, failed: 8, more: 16, partial: 32 } as const
/** Bytes of plaintext in a record, and the most that a cipher adds to it; two such records fill a block of 32 KiB. */
export const TLS_RECORD_BYTES = 16288
export const TLS_RECORD_ADDS = 96

/** Layout of the memory with the keys that seal session tickets: a word with the current slot, then the slots. */
export const TICKET_KEYS = { slots: 4, keysAt: 64, keyBytes: 80, bytes: 64 + 4 * 80 } as const

/** TLS over `arena` for this thread. `results` is shared memory of the calls, `ticketKeys` that of all threads. */
export function createTls(arena: Uint8Array, results: Int32Array, ticketKeys: Uint8Array): NativeTls {
  const addon = native()
  if (addon.createTls === undefined)
    throw new EvenerError('NATIVE_UNAVAILABLE', 'the native addon was compiled before it had TLS (npm rebuild compiles it anew)')
  return checked('createTls', addon.createTls(arena, new Uint8Array(results.buffer), ticketKeys))
}
