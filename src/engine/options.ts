/** Sizes of an engine. All limits are per worker. */
export interface EngineOptions {
  /** Bytes in a block: the longest contiguous run of bytes, and so the limit of an HTTP head. A power of two. */
  readonly blockBytes: number
  /** Blocks in the arena. At the limit receiving pauses until blocks come back, so memory is bounded by blockBytes * blockCount. */
  readonly blockCount: number
  /** Blocks that the kernel may fill at any time (uring only). A power of two, at most 32768. */
  readonly receiveBlocks: number
  readonly maxConnections: number
  /** A connection is congested above the high-water mark, and drained() is called at the low-water mark. Bytes. */
  readonly highWaterBytes: number
  /** The high-water mark while less than half of the arena's blocks are free, so that slow peers cannot take all of it. Bytes. */
  readonly scarceHighWaterBytes: number
  readonly lowWaterBytes: number
  /** Memory of TicketKeys that workers share; own random keys without it. */
  readonly ticketKeys?: SharedArrayBuffer
}

export const DEFAULT_ENGINE_OPTIONS: EngineOptions = {
  blockBytes: 32 * 1024,
  blockCount: 16384,
  receiveBlocks: 512,
  maxConnections: 262_144,
  // Pausing and resuming a receive costs more than it saves below this: 1 MiB responses cost 1.5 times as much at 512 KiB.
  highWaterBytes: 2 * 1024 * 1024,
  scarceHighWaterBytes: 256 * 1024,
  lowWaterBytes: 128 * 1024,
}

/** The high-water mark in force. */
export function highWaterBytes(options: EngineOptions, isScarce: boolean): number {
  return isScarce && options.scarceHighWaterBytes < options.highWaterBytes ? options.scarceHighWaterBytes : options.highWaterBytes
}
