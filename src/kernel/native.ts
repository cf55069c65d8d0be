import { createRequire } from 'node:module'
import { EvenerError } from '../core/index.ts'
import type { NativeBpf } from './bpf/calls.ts'
import type { NativeNetlink } from './netlink/socket.ts'
import type { NativeTls } from './tls.ts'

/** Memory shared with the kernel: an address is `low + offset` below the constant word `high`. */
export interface NativeMapping {
  readonly buffer: ArrayBuffer
  readonly low: number
  readonly high: number
}

/** A ring as native/ring.c makes it. The ...At are byte offsets into `rings`. Functions return -errno on failure. */
export interface NativeRing {
  readonly features: number
  readonly sqEntries: number
  readonly cqEntries: number
  readonly sqTailAt: number
  readonly sqFlagsAt: number
  readonly sqArrayAt: number
  readonly cqHeadAt: number
  readonly cqTailAt: number
  readonly cqesAt: number
  readonly rings: ArrayBuffer
  readonly sqes: ArrayBuffer
  /** struct control, then the descriptors that are closed with the thread, as fd + 1; see RING_SHARED. */
  readonly shared: ArrayBuffer
  /** What becomes readable when libuv has something to do. */
  readonly libuvDescriptor: number
  /** Submits, then waits for `wait` completions, `timeoutMs` (-1: for ever) or libuv's next timer. Returns the number submitted. */
  enter(submit: number, wait: number, timeoutMs: number): number
  registerBuffers(group: number, entries: number): ArrayBuffer | number
  close(): void
}

/** Layout of NativeRing.shared. */
export const RING_SHARED = {
  /** Index into a Float64Array: both clocks in milliseconds, read after each enter(). */
  monotonicMs: 0,
  wallMs: 1,
  /** Index into an Int32Array: 1 when libuv had something to do at the last enter() that was to wait, which then did not. */
  libuvDue: 4,
  descriptors: 16,
  /** In bytes, before the descriptors. */
  controlBytes: 64,
} as const

/** The functions of the addon. Those that return number return -errno on failure. */
export interface Native extends NativeBpf, NativeNetlink {
  mapMemory(length: number): NativeMapping | number
  discardMemory(bytes: Uint8Array): number
  probeRing(setupFlags: number): Uint8Array | number
  createRing(sqEntries: number, cqEntries: number, setupFlags: number, descriptors: number, acceptKind: number): NativeRing | number
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Uint8Array, length: number): number
  listen(fd: number, backlog: number): number
  accept(fd: number): number
  setOption(fd: number, level: number, name: number, value: number): number
  getOption(fd: number, level: number, name: number): number
  setLinger(fd: number, seconds: number): number
  localAddress(fd: number, address: Uint8Array): number
  peerAddress(fd: number, address: Uint8Array): number
  shutdown(fd: number, how: number): number
  close(fd: number): number
  packAddress(address: Uint8Array, family: 4 | 6, host: string, port: number): number
  packPath(address: Uint8Array, path: string): number
  unpackAddress(address: Uint8Array, length: number): { family: 4 | 6; host: string; port: number } | string | number
  /** Both descriptors of a pipe that does not block, as two int32. Absent, with the next four, from an addon that was compiled earlier. */
  openPipe?(ends: Uint8Array): number
  setPipeBytes?(fd: number, bytes: number): number
  setNonBlocking?(fd: number): number
  splice?(from: number, to: number, length: number): number
  descriptorLimit?(): number
  /** Absent from an addon that was compiled earlier. */
  createTls?(arena: Uint8Array, results: Uint8Array, ticketKeys: Uint8Array): NativeTls | number
}

let loaded: Native | undefined

/** The addon. Throws NATIVE_UNAVAILABLE, with the loader's own words, where it is not compiled or does not load. */
export function native(): Native {
  return (loaded ??= load())
}

function load(): Native {
  if (process.platform !== 'linux')
    throw new EvenerError('NATIVE_UNAVAILABLE', `the native addon is for Linux, this is ${process.platform}`)
  try {
    return createRequire(import.meta.url)('../../build/Release/evener.node')
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND'
    const why = isMissing ? 'is not compiled (npm rebuild needs a C compiler, make and Python)' : `does not load: ${String(cause)}`
    throw new EvenerError('NATIVE_UNAVAILABLE', `the native addon ${why}`, { cause })
  }
}
