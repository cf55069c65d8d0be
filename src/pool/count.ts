/**
 * Adds 1 to a shared count that never goes above `limit`, not even for a moment, so that nobody else is refused by mistake. False
 * when it is there already. A limit of 0 is none.
 */
export function enter(words: Int32Array, at: number, limit: number): boolean {
  if (limit === 0) {
    Atomics.add(words, at, 1)
    return true
  }
  let count = Atomics.load(words, at)
  while (count < limit) {
    const seen = Atomics.compareExchange(words, at, count, count + 1)
    if (seen === count) return true
    count = seen
  }
  return false
}
