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
  readonly lowWaterBytes: number
}

export const DEFAULT_ENGINE_OPTIONS: EngineOptions = {
  blockBytes: 32 * 1024,
  blockCount: 16384,
  receiveBlocks: 512,
  maxConnections: 262_144,
  highWaterBytes: 512 * 1024,
  lowWaterBytes: 128 * 1024,
}
