/** Turns are exact up to this total weight; above it weights are scaled down first. Keeps every product below 2^53. */
const MAX_TOTAL = 2 ** 26

/**
 * Maps the places of a cycle of `total` to positions so that each position has exactly its weight of them, spread evenly.
 * A shared counter that walks the cycle is therefore a smooth weighted round robin over all workers, without any state of
 * its own: whoever draws a place knows its server.
 *
 * A binary tree over the positions; each node splits the places it is given between its halves as Bresenham's line does.
 *
 *              a:3 b:1 c:1              place p of 5 goes left when floor((p + 1) * 3 / 5) > floor(p * 3 / 5),
 *             /           \             as place floor(p * 3 / 5) of the left half, else right as place p - floor(p * 3 / 5)
 *           a:3         b:1 c:1
 *
 * rebuild() is O(n), at() and drawn() O(log n), or O(1) while all weights are 1.
 */
export class WeightedTurn {
  #total = 0
  #count = 0
  /** All weights are 1: places are positions. */
  #isEven = false
  /** Sums of weights before each position, and all of them at the end. */
  #before = new Float64Array(0)

  get total(): number {
    return this.#total
  }

  rebuild(weights: ArrayLike<number>, count: number): void {
    if (this.#before.length < count + 1) this.#before = new Float64Array(weights.length + 1)
    let whole = 0
    for (let position = 0; position < count; position++) whole += weights[position]
    const scale = whole > MAX_TOTAL ? MAX_TOTAL / whole : 1
    let sum = 0
    for (let position = 0; position < count; position++) {
      this.#before[position] = sum
      sum += Math.max(1, Math.floor(weights[position] * scale))
    }
    this.#before[count] = sum
    this.#total = sum
    this.#isEven = sum === count
    this.#count = count
  }

  /** The position at a place from 0 to total - 1. */
  at(place: number): number {
    if (this.#isEven) return place
    const before = this.#before
    let low = 0
    let high = this.#count
    let here = place
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      const left = before[middle] - before[low]
      const whole = before[high] - before[low]
      const leftPlace = Math.floor((here * left) / whole)
      if (Math.floor(((here + 1) * left) / whole) > leftPlace) {
        high = middle
        here = leftPlace
      } else {
        low = middle
        here -= leftPlace
      }
    }
    return low
  }

  /** Any position, as likely as its weight says; `draw` from 0 to 2^32 - 1 decides, always in the same way. */
  drawn(draw: number): number {
    const before = this.#before
    const place = (draw / 2 ** 32) * this.#total
    if (this.#isEven) return Math.floor(place)
    let low = 0
    let high = this.#count
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (place < before[middle]) high = middle
      else low = middle
    }
    return low
  }
}
