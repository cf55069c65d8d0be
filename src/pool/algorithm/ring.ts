import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { crc32, hashText, mix } from '../hash.ts'
import type { HashKey } from '../hash-key.ts'
import { NO_POSITION } from './algorithm.ts'
import { Keyed, MAX_PROBES } from './keyed.ts'

/** Points that a ring has at most, near enough; with more, every server gets a half, a quarter, … of its points. */
const MAX_POINTS = 2 ** 18

/**
 * Consistent hashing on a ring (Karger et al., 1997): each unit of weight has `virtualNodes` points, a key belongs to the
 * next point. With a bounded load (Mirrokni et al., 2016) a server that has `loadFactor` times its share of the active requests
 * passes the key on along the ring. pick() is O(log points).
 */
export class Ring extends Keyed {
  readonly #virtualNodes: number
  readonly #loadFactor: number
  /** Ascending. */
  #points = new Uint32Array(0)
  /** Index of the server at each point. */
  #owners = new Uint16Array(0)

  constructor(key: HashKey, virtualNodes: number, loadFactor: number) {
    super(key)
    this.#virtualNodes = virtualNodes
    this.#loadFactor = loadFactor
  }

  protected build(candidates: Candidates): void {
    const { members, memberWeights, memberCount, names } = candidates
    let total = 0
    for (let i = 0; i < memberCount; i++) total += memberWeights[i] * this.#virtualNodes
    const divisor = 2 ** Math.max(0, Math.ceil(Math.log2(total / MAX_POINTS)))
    const all: number[] = []
    for (let i = 0; i < memberCount; i++) {
      const count = Math.max(1, Math.round((memberWeights[i] * this.#virtualNodes) / divisor))
      const points =
        this.key.method === 'crc32' ? crcPoints(names[members[i]], count) : murmurPoints(names[members[i]], count, this.key.seed)
      // Point and owner in one number, so that one native sort brings both in order; on a tie the earlier server stands first.
      for (const point of points) all.push(point * 2 ** 16 + members[i])
    }
    const sorted = Float64Array.from(all).sort()
    this.#points = Uint32Array.from(sorted, (entry) => Math.floor(entry / 2 ** 16))
    this.#owners = Uint16Array.from(sorted, (entry) => entry % 2 ** 16)
  }

  protected probe(candidates: Candidates, context: PickContext, hash: number): number {
    const points = this.#points.length
    let point = this.#find(hash)
    let last = -1
    for (let i = 0; i < MAX_PROBES; i++) {
      const owner = this.#owners[point]
      if (owner !== last) {
        const position = this.accept(candidates, context, owner, hash)
        if (position !== NO_POSITION && this.#hasRoom(candidates, position)) return position
        last = owner
      }
      point = point + 1 === points ? 0 : point + 1
    }
    return this.#loadFactor > 0 ? this.#anyWithRoom(candidates, context, hash) : NO_POSITION
  }

  /** The first point at or after the hash. */
  #find(hash: number): number {
    const points = this.#points
    let low = 0
    let high = points.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (points[middle] < hash) low = middle + 1
      else high = middle
    }
    return low === points.length ? 0 : low
  }

  #hasRoom(candidates: Candidates, position: number): boolean {
    if (this.#loadFactor === 0) return true
    const share = candidates.weights[position] / candidates.totalWeight
    return candidates.active(position) < Math.ceil(this.#loadFactor * (candidates.poolActive() + 1) * share)
  }

  #anyWithRoom(candidates: Candidates, context: PickContext, hash: number): number {
    let position = hash % candidates.count
    for (let i = 0; i < candidates.count; i++) {
      if (candidates.isFree(position, context) && this.#hasRoom(candidates, position)) return position
      position = position + 1 === candidates.count ? 0 : position + 1
    }
    return NO_POSITION
  }
}

function murmurPoints(identity: string, count: number, seed: number): number[] {
  const base = hashText(identity, seed)
  const step = hashText(identity, ~seed) | 1
  return Array.from({ length: count }, (_, i) => mix((base + Math.imul(step, i + 1)) | 0))
}

/**
 * The points of nginx's `hash … consistent` (ngx_http_upstream_hash_module): the CRC of host, a NUL, port and the previous
 * point, little-endian. `identity` is the address as nginx's configuration has it.
 */
function crcPoints(identity: string, count: number): number[] {
  const [, host, port = ''] = /^(?:unix:)?(.*?)(?::(\d+))?$/is.exec(identity) as unknown as [string, string, string?]
  const text = Buffer.from(`${host}\0${port}`)
  const base = crc32(text, 0, text.length)
  const previous = Buffer.alloc(4)
  const points: number[] = []
  for (let i = 0; i < count; i++) {
    const point = crc32(previous, 0, 4, base)
    points.push(point)
    previous.writeUInt32LE(point)
  }
  return points
}
