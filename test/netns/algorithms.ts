import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PACKET_ALGORITHMS, type PacketAlgorithm } from '../../src/packet/index.ts'
import type { Network } from './network.ts'
import { NAMES } from './web.ts'

/** Which server answered how many; "x" counts those without an answer. */
export type Shares = Record<string, number>

/** What an algorithm promises to clients of three servers a, b and c of weights 1, 3 and 6. */
interface Promised {
  /** Connections that are closed before the next one, or held all at once. */
  readonly way: 'curl' | 'hold'
  readonly count: number
  check(shares: Shares): void
}

const exactly = (wanted: Shares) => (shares: Shares) => assert.deepEqual(shares, wanted)
/** Every server within so many of what its weight gives; nobody is left without an answer. */
const about =
  (wanted: readonly number[], tolerances: readonly number[]) =>
  (shares: Shares): void => {
    for (const [index, name] of NAMES.entries()) {
      const actual = shares[name] ?? 0
      assert.ok(Math.abs(actual - wanted[index]) <= tolerances[index], `${JSON.stringify(shares)}, not ${wanted} ± ${tolerances}`)
    }
    assert.equal(shares.x, undefined, JSON.stringify(shares))
  }

/** Of 100 by chance 5 standard deviations, which one run in a million leaves. */
const BY_CHANCE = [15, 23, 25]
const byWeight = exactly({ a: 10, b: 30, c: 60 })
const byWeightAndChance: Promised = { way: 'curl', count: 100, check: about([10, 30, 60], BY_CHANCE) }
const byLoad: Promised = { way: 'hold', count: 100, check: about([10, 30, 60], [2, 2, 2]) }

const PROMISED: Readonly<Partial<Record<PacketAlgorithm, Promised>>> = {
  'round-robin': { way: 'curl', count: 30, check: exactly({ a: 10, b: 10, c: 10 }) },
  'weighted-round-robin': { way: 'curl', count: 100, check: byWeight },
  resource: { way: 'curl', count: 100, check: byWeight },
  random: { way: 'curl', count: 90, check: about([30, 30, 30], [22, 22, 22]) },
  'weighted-random': byWeightAndChance,
  maglev: byWeightAndChance,
  ring: byWeightAndChance,
  'two-choices': { way: 'hold', count: 100, check: about([10, 30, 60], [10, 15, 15]) },
  'least-connections': { way: 'hold', count: 30, check: exactly({ a: 10, b: 10, c: 10 }) },
  'weighted-least-connections': byLoad,
  'shortest-expected-delay': byLoad,
  // The first three find an idle server each.
  'never-queue': { ...byLoad, check: about([10, 30, 60], [3, 3, 3]) },
  // With room for five flows each.
  first: { way: 'hold', count: 12, check: exactly({ a: 5, b: 5, c: 2 }) },
  'weighted-failover': { way: 'curl', count: 10, check: exactly({ c: 10 }) },
  overflow: { way: 'hold', count: 12, check: exactly({ a: 1, b: 4, c: 7 }) },
}

/** These keep the address that is asked for with its server, whoever asks. */
const BY_DESTINATION: readonly PacketAlgorithm[] = ['destination-hash', 'locality', 'locality-replicated']
const ASKED_EACH = 3

/** One listener for each algorithm, on ports from `firstPort` on, at all of these addresses. */
export function listenersOf(firstPort: number, vips: readonly string[], prefix: string, packet: object): Record<string, object> {
  const listeners = PACKET_ALGORITHMS.map((algorithm, index): [string, object] => {
    const own = {
      ...(algorithm === 'first' ? { limits: { flows: 5 } } : {}),
      ...(algorithm === 'source-hash' ? { hash: { port: false } } : {}),
    }
    const bind = vips.map((vip) => `${vip.includes(':') ? `[${vip}]` : vip}:0`)
    // With a second port that nobody asks for: a listener of several ports leaves them as they are, whatever the servers' is.
    const ports = [firstPort + index, firstPort + index + 1000]
    return [`${prefix}-${algorithm}`, { bind, packet: { ...packet, algorithm, ports, ...own } }]
  })
  return Object.fromEntries(listeners)
}

/** Every algorithm's promise over real connections. `sources` are addresses of the client. */
export async function checkAlgorithms(
  network: Network,
  firstPort: number,
  vips: readonly string[],
  sources: readonly string[],
): Promise<void> {
  const portOf = (algorithm: PacketAlgorithm) => firstPort + PACKET_ALGORITHMS.indexOf(algorithm)
  const promised = Object.entries(PROMISED) as [PacketAlgorithm, Promised][]
  const closed = promised.filter(([, { way }]) => way === 'curl')
  const held = promised.filter(([, { way }]) => way === 'hold')
  const [vip] = vips
  const requests = closed.flatMap(([algorithm, { count }]) => Array.from({ length: count }, () => ({ vip, port: portOf(algorithm) })))
  const perAddress = BY_DESTINATION.flatMap((algorithm) =>
    vips.flatMap((each) => Array.from({ length: ASKED_EACH }, () => ({ vip: each, port: portOf(algorithm) }))),
  )
  const perSource = sources.flatMap((source) => Array.from({ length: ASKED_EACH }, () => ({ vip, port: portOf('source-hash'), source })))
  const answers = curl(network, [...requests, ...perAddress, ...perSource])
  for (const [algorithm, { check }] of closed) named(algorithm, () => check(sharesOf(answers, portOf(algorithm))))
  for (const algorithm of BY_DESTINATION) named(algorithm, () => checkSticky(answers, portOf(algorithm), 'vip', vips))
  named('source-hash', () => checkSticky(answers, portOf('source-hash'), 'source', sources))
  const bodies = await hold(
    network,
    held.map(([algorithm, { count }]) => [vip, portOf(algorithm), count]),
  )
  for (const [index, [algorithm, { check }]] of held.entries()) named(algorithm, () => check(count(bodies[index])))
}

/** With c drained nobody is sent there, and everybody is served. */
export function checkDrained(network: Network, firstPort: number, vip: string): void {
  const requests = PACKET_ALGORITHMS.flatMap((_, index) => Array.from({ length: 4 }, () => ({ vip, port: firstPort + index })))
  const answers = curl(network, requests)
  for (const [index, algorithm] of PACKET_ALGORITHMS.entries()) {
    // Those that were held are counted for "first" still: it has no room left but on c.
    if (algorithm === 'first') continue
    named(algorithm, () => {
      const { c, x, ...rest } = sharesOf(answers, firstPort + index)
      assert.deepEqual([c, x, Object.values(rest).reduce((sum, each) => sum + each, 0)], [undefined, undefined, 4])
    })
  }
}

interface Request {
  readonly vip: string
  readonly port: number
  readonly source?: string
}

interface Answer {
  readonly name: string
  readonly vip: string
  readonly port: number
  readonly source: string
}

/** Asks one after the other with one curl, each over a connection of its own. */
export function curl(network: Network, requests: readonly Request[]): Answer[] {
  const file = join(network.folder, 'curl.conf')
  const blocks = requests.map(({ vip, port, source }) => {
    const url = `http://${vip.includes(':') ? `[${vip}]` : vip}:${port}/`
    const from = source === undefined ? '' : `interface = "${source}"\n`
    return `url = "${url}"\n${from}globoff\nsilent\nmax-time = 2\nheader = "Connection: close"\nwrite-out = " %{remote_ip} ${port} %{local_ip}\\n"\n`
  })
  writeFileSync(file, blocks.join('next\n'))
  const lines = network.run('client', 'sh', '-c', `curl -K ${file} || true`).trimEnd().split('\n')
  return lines.map((line) => {
    const [name, vip, port, source] = line.split(' ')
    return { name: name === '' ? 'x' : name, vip, port: Number(port), source }
  })
}

async function hold(network: Network, groups: readonly (readonly [string, number, number])[]): Promise<string[]> {
  const child = network.start('client', process.execPath, join(import.meta.dirname, 'hold-process.ts'), JSON.stringify(groups))
  assert.ok(child.stdout && child.stdin)
  const bodies: string[] = []
  for await (const line of createInterface({ input: child.stdout })) if (bodies.push(line) === groups.length) break
  child.stdin.end()
  await once(child, 'exit')
  return bodies
}

function checkSticky(answers: readonly Answer[], port: number, by: 'vip' | 'source', keys: readonly string[]): void {
  const own = answers.filter((answer) => answer.port === port)
  const seen = new Set<string>()
  for (const key of keys) {
    const names = own.filter((answer) => answer[by] === key).map(({ name }) => name)
    assert.deepEqual(names, new Array(ASKED_EACH).fill(names[0]), `${by} ${key}`)
    assert.notEqual(names[0], 'x')
    seen.add(names[0])
  }
  assert.ok(seen.size > 1, `all on ${[...seen]}`)
}

function sharesOf(answers: readonly Answer[], port: number): Shares {
  return count(answers.filter((answer) => answer.port === port).map(({ name }) => name))
}

function count(names: Iterable<string>): Shares {
  const shares: Shares = {}
  for (const name of names) shares[name] = (shares[name] ?? 0) + 1
  return shares
}

/** A failure says of which algorithm it is. */
function named(algorithm: PacketAlgorithm, check: () => void): void {
  try {
    check()
  } catch (error) {
    throw new Error(`${algorithm}: ${(error as Error).message}`, { cause: error })
  }
}
