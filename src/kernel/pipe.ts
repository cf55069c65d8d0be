import { native } from './native.ts'

const EINVAL = 22
const EMFILE = 24

/** A pipe that does not block: pages go in at `writeEnd` and come out at `readEnd`. */
export interface PipeEnds {
  readonly readEnd: number
  readonly writeEnd: number
}

/** Whether the addon that is loaded can splice. */
export function hasSplice(): boolean {
  return native().splice !== undefined
}

/**
 * A pipe of `bytes`, or of the size that the kernel gives to everybody where it grants no more (fs.pipe-user-pages-soft). -errno where there is none,
 * and -EMFILE already when half of the descriptors that the process may have are in use, so that pipes never take those of connections.
 */
export function openPipe(bytes: number): PipeEnds | number {
  const addon = native()
  const ends = new Int32Array(2)
  const result = addon.openPipe?.(new Uint8Array(ends.buffer)) ?? -EINVAL
  if (result < 0) return result
  const [readEnd, writeEnd] = ends
  const isNarrow = writeEnd >= (addon.descriptorLimit?.() ?? 0) >>> 1
  if (isNarrow) {
    closePipe({ readEnd, writeEnd })
    return -EMFILE
  }
  addon.setPipeBytes?.(writeEnd, bytes)
  return { readEnd, writeEnd }
}

export function closePipe({ readEnd, writeEnd }: PipeEnds): void {
  native().close(readEnd)
  native().close(writeEnd)
}

/** splice() obeys O_NONBLOCK of the socket and not only its own flag. Returns 0 or -errno. */
export function setNonBlocking(fd: number): number {
  return native().setNonBlocking?.(fd) ?? -EINVAL
}

/** Moves up to `length` bytes from a socket to a pipe, or from a pipe to a socket, without waiting. Returns how many, 0 at the end of the stream, or -errno. */
export function splice(from: number, to: number, length: number): number {
  return native().splice?.(from, to, length) ?? -EINVAL
}
