import { fillMaglev } from '../pool/index.ts'
import type { PacketAlgorithm } from './definition.ts'

/** A server as the tables see it. */
export interface TableMember {
  /** Where it is: the identity that hashing goes by, the same on every balancer. */
  readonly identity: string
  readonly slot: number
  /** In the kernel's steps, with slow start. */
  readonly weight: number
  /** Below 1 during a slow start. */
  readonly share: number
  /** Takes new flows now. */
  readonly isReady: boolean
  /** Its last weight that was not 0: hashing tables are built on it, so that a drain does not move other clients. */
  readonly lastingWeight: number
}

const BUCKETS = 256
const MOST_TURNS = 65536
/** Prime, and more than 100 places for each of 40 servers: for packets in the middle of flows that nobody knows. */
const STRAY_PLACES = 4093
const RING_POINTS = 160

/** Entries of a service's table (slot + 1), as the kernel's programs index it for this algorithm. Empty: no server. */
export function buildTable(algorithm: PacketAlgorithm, members: readonly TableMember[], size: number, seed: number): Uint32Array {
  switch (algorithm) {
    case 'round-robin':
    case 'random':
      return Uint32Array.from(ready(members), (member) => member.slot + 1)
    case 'weighted-round-robin':
    case 'weighted-random':
    case 'two-choices':
    case 'resource':
      return smoothSequence(ready(members))
    case 'source-hash':
      return spared(members, (some) => tile(some, (member) => member.lastingWeight))
    case 'destination-hash':
      return tile(members, () => 1)
    case 'ring':
      return spared(lasting(members), (some) => ring(some, size, seed))
    case 'maglev':
      return spared(lasting(members), (some) => maglev(some, size, seed))
    default:
      return maglev(lasting(members), STRAY_PLACES, seed)
  }
}

function ready(members: readonly TableMember[]): TableMember[] {
  return members.filter((member) => member.isReady && member.weight > 0)
}

function lasting(members: readonly TableMember[]): TableMember[] {
  return members.filter((member) => member.lastingWeight > 0)
}

/** A table of places in which servers during a slow start have only their share; the rest is as it would be without them. */
function spared(members: readonly TableMember[], build: (members: readonly TableMember[]) => Uint32Array): Uint32Array {
  const starting = new Map(members.filter(({ share }) => share > 0 && share < 1).map(({ slot, share }) => [slot + 1, share]))
  const places = build(members)
  if (starting.size === 0 || starting.size === members.length) return places
  const others = build(members.filter(({ slot }) => !starting.has(slot + 1)))
  return places.map((entry, place) => (mixed(place) / 2 ** 32 < (starting.get(entry) ?? 1) ? entry : others[place % others.length]))
}

/**
 * Smooth weighted round robin, written out: each turn every server saves its weight, the richest is taken and pays the total. Any
 * run of one whole table gives each server exactly its share, without bursts.
 */
function smoothSequence(members: readonly TableMember[]): Uint32Array {
  if (members.length === 0) return new Uint32Array(0)
  const weights = reduced(members.map((member) => member.weight))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const sequence = new Uint32Array(total)
  const saved = new Float64Array(members.length)
  for (let turn = 0; turn < total; turn++) {
    let richest = 0
    for (let index = 0; index < members.length; index++) {
      saved[index] += weights[index]
      if (saved[index] > saved[richest]) richest = index
    }
    saved[richest] -= total
    sequence[turn] = members[richest].slot + 1
  }
  return sequence
}

/** Weights divided by their greatest common divisor, and scaled down if their sum would still make the table too long. */
function reduced(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor)
  const total = weights.reduce((sum, weight) => sum + weight, 0) / divisor
  const scale = total > MOST_TURNS ? MOST_TURNS / total : 1
  return weights.map((weight) => Math.max(1, Math.floor((weight / divisor) * scale)))
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

/** IPVS's dh and sh: 256 buckets, servers one after the other, each as many times in a row as `times` says. */
function tile(members: readonly TableMember[], times: (member: TableMember) => number): Uint32Array {
  const round = members.flatMap((member) => new Array<number>(Math.min(times(member), BUCKETS)).fill(member.slot + 1))
  if (round.length === 0) return new Uint32Array(0)
  return Uint32Array.from({ length: BUCKETS }, (_, bucket) => round[bucket % round.length])
}

function maglev(members: readonly TableMember[], size: number, seed: number): Uint32Array {
  if (members.length === 0) return new Uint32Array(0)
  const identities = members.map((member) => member.identity)
  const weights = members.map((member) => member.lastingWeight)
  return Uint32Array.from(fillMaglev(identities, weights, size, seed), (index) => members[index].slot + 1)
}

/** A ring of points cut into equal places: a place belongs to the first point at or after it. */
function ring(members: readonly TableMember[], size: number, seed: number): Uint32Array {
  if (members.length === 0) return new Uint32Array(0)
  const points: { place: number; slot: number }[] = []
  for (const member of members) {
    const count = RING_POINTS * member.lastingWeight
    for (let point = 0; point < Math.min(count, MOST_TURNS); point++) {
      points.push({ place: pointHash(`${member.identity}#${point}`, seed) % size, slot: member.slot + 1 })
    }
  }
  points.sort((a, b) => a.place - b.place || a.slot - b.slot)
  const places = new Uint32Array(size)
  let next = 0
  for (let place = 0; place < size; place++) {
    while (next < points.length && points[next].place < place) next++
    places[place] = points[next % points.length].slot
  }
  return places
}

/** FNV-1a with a final mix. */
function pointHash(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return mixed(hash)
}

function mixed(value: number): number {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  return (Math.imul(hash, 0xc2b2ae35) ^ (hash >>> 16)) >>> 0
}
