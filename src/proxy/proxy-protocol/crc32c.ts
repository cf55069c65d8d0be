/** CRC-32C (Castagnoli, RFC 3720 §B.4), reflected. */
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** Of memory[start, end), in which the four bytes at `hole` count as 0; -1 for no hole. Returns 0 to 2^32 - 1. */
export function crc32c(memory: Uint8Array, start: number, end: number, hole = -1): number {
  let crc = -1
  for (let at = start; at < end; at++) {
    const byte = hole !== -1 && at >= hole && at < hole + 4 ? 0 : memory[at]
    crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8)
  }
  return ~crc >>> 0
}
