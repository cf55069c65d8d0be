/**
 * MurmurHash3 x86 32 (Austin Appleby, public domain) of memory[start, end). Seeded; not for secrets. Returns 0 to 2^32 - 1.
 */
export function hashBytes(memory: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed | 0
  const blocksEnd = start + ((end - start) & ~3)
  let at = start
  for (; at < blocksEnd; at += 4) {
    hash ^= scramble(memory[at] | (memory[at + 1] << 8) | (memory[at + 2] << 16) | (memory[at + 3] << 24))
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  let tail = 0
  for (let i = end - 1; i >= blocksEnd; i--) tail = (tail << 8) | memory[i]
  if (at < end) hash ^= scramble(tail)
  return mix(hash ^ (end - start))
}

/** hashBytes of a string's UTF-8 bytes. For control code: allocates. */
export function hashText(text: string, seed: number): number {
  const bytes = Buffer.from(text)
  return hashBytes(bytes, 0, bytes.length, seed)
}

/** Spreads every bit of a number over all bits (murmur3's finalizer). Returns 0 to 2^32 - 1. */
export function mix(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** CRC-32 (ISO 3309, as in zlib and nginx) of memory[start, end), going on from the CRC of what came before. Returns 0 to 2^32 - 1. */
export function crc32(memory: Uint8Array, start: number, end: number, before = 0): number {
  let crc = ~before
  for (let at = start; at < end; at++) crc = CRC_TABLE[(crc ^ memory[at]) & 0xff] ^ (crc >>> 8)
  return ~crc >>> 0
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

function scramble(block: number): number {
  const spread = Math.imul(block, 0xcc9e2d51)
  return Math.imul((spread << 15) | (spread >>> 17), 0x1b873593)
}
