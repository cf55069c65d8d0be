import { ByteRange, findCookie } from '../http/index.ts'
import { type HashKey, NO_KEY, type PersistenceCookie, WeightedTurn } from '../pool/index.ts'
import { type Exchange, walk } from './exchange.ts'
import { textOf } from './persistence.ts'
import type { RouteState } from './site.ts'
import type { PoolState } from './upstream/pool-state.ts'

/** Longer values are none of ours. */
const MAX_VALUE_BYTES = 256
/** Scratch, for one look-up at a time. */
const range = new ByteRange()

/**
 * A route's requests shared out over several pools by weight: in each worker any run of as many requests as the weights' sum gives
 * each pool exactly its weight. A client that the split knows, by its cookie or by a key of the request, stays with its pool.
 * While a pool has no server available its share goes to the others.
 */
export class Split {
  /** The route with each of the pools. */
  branches: readonly RouteState[] = []
  readonly cookie: PersistenceCookie | null
  readonly #key: HashKey | null
  readonly #turn = new WeightedTurn()
  /** Index of the branch by its position among those with a weight above 0. */
  readonly #indexes: readonly number[]
  #place = 0

  constructor(weights: readonly number[], cookie: PersistenceCookie | null, key: HashKey | null) {
    this.cookie = cookie
    this.#key = key
    this.#indexes = [...weights.keys()].filter((index) => weights[index] > 0)
    const own = this.#indexes.map((index) => weights[index])
    this.#turn.rebuild(own, own.length)
  }

  choose(exchange: Exchange): RouteState {
    const known = this.#known(exchange)
    const chosen = known === -1 ? this.#next() : known
    for (let i = 0; i < this.branches.length; i++) {
      const branch = this.branches[(chosen + i) % this.branches.length]
      if ((branch.pool as PoolState).pool.isAvailable) return branch
    }
    return this.branches[chosen]
  }

  #known(exchange: Exchange): number {
    if (this.cookie !== null) return this.#readCookie(exchange, this.cookie)
    if (this.#key === null) return -1
    const hash = exchange.pick.keySource.keyHash(this.#key)
    return hash === NO_KEY ? -1 : this.#indexes[this.#turn.drawn(hash)]
  }

  #readCookie(exchange: Exchange, cookie: PersistenceCookie): number {
    const memory = exchange.worker.engine.memory
    if (!findCookie(memory, exchange.request, cookie.nameBytes, range) || range.end - range.start > MAX_VALUE_BYTES) return -1
    exchange.splitRead = cookie.read(textOf(memory, range.start, range.end)).index
    return exchange.splitRead
  }

  #next(): number {
    const place = this.#place
    this.#place = place + 1 === this.#turn.total ? 0 : place + 1
    return this.#indexes[this.#turn.at(place)]
  }
}

/** The action `split`. */
export function split(exchange: Exchange): number {
  const branch = ((exchange.route as RouteState).split as Split).choose(exchange)
  exchange.route = branch
  exchange.pool = branch.pool
  return walk(branch.steps, exchange)
}
