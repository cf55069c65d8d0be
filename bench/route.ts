/**
 * What routing costs, in nanoseconds a request: node bench/route.ts [seconds per case, default 0.5]
 * Each case is run in rounds; the best round counts, because everything that disturbs a round makes it slower.
 */
import { CidrSet, ClientAddress, parseIp } from '../src/core/index.ts'
import { NormalPath, Router } from '../src/route/index.ts'
import { type Match, ParsedRequest, plans, type TestRequest } from '../test/support/routes.ts'

const SECONDS = Number(process.argv[2] ?? 0.5)
const ROUND = 20_000

interface Case {
  readonly name: string
  /** Does the work `times` times and returns something that depends on it. */
  run(times: number): number
}

/** Hosts with a few paths each, as a hosting company has them; 4 routes a host, every tenth host a wildcard. */
function byHost(count: number): Match[] {
  return Array.from({ length: count }, (_, i) => {
    const host = `${(i >> 2) % 10 === 9 ? '*.' : 'www.'}customer-${i >> 2}.shop.test`
    return { host, path: ['/static/*', '/api/*', '/login', '/*'][i & 3] }
  })
}

/** One host with many paths, as an API gateway has them. */
function byPath(count: number): Match[] {
  return Array.from({ length: count }, (_, i) => ({
    host: 'api.test',
    path: i % 2 === 0 ? `/v1/service-${i}/*` : `/v1/service-${i}/health`,
  }))
}

/** Requests for routes all over the table, the last included. */
function requestsFor(table: readonly Match[], count = 64): TestRequest[] {
  return Array.from({ length: count }, (_, i) => {
    const match = table[Math.floor((i * (table.length - 1)) / (count - 1))]
    return { host: String(match.host).replace('*', 'a.b'), target: String(match.path).replace('*', 'users/42?page=2') }
  })
}

function routing(name: string, table: readonly Match[], requests = requestsFor(table)): Case {
  const router = new Router(plans(...table))
  const parsed = requests.map((request) => new ParsedRequest(request))
  return {
    name,
    run(times) {
      let sum = 0
      for (let i = 0; i < times; i++) {
        const { memory, head, client } = parsed[i & 63]
        sum += router.match(memory, head, client)
      }
      return sum
    },
  }
}

function normalising(name: string, text: string): Case {
  const path = new NormalPath()
  const bytes = new Uint8Array(Buffer.from(text))
  return {
    name,
    run(times) {
      let sum = 0
      for (let i = 0; i < times; i++) sum += Number(path.read(bytes, 0, bytes.length))
      return sum
    },
  }
}

function addressSet(name: string, ranges: readonly string[], addresses: readonly string[]): Case {
  const set = CidrSet.parse(ranges)
  const parsed = addresses.map((text) => {
    const address = new ClientAddress()
    parseIp(text, address)
    return address
  })
  return {
    name: `${name}, ${set.size} ranges`,
    run(times) {
      let sum = 0
      for (let i = 0; i < times; i++) sum += Number(set.contains(parsed[i % parsed.length]))
      return sum
    },
  }
}

function ranges4(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${11 + (i >> 15)}.${(i >> 7) & 255}.${(i << 1) & 255}.0/24`)
}

function ranges6(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `2001:${(i >> 8).toString(16)}:${((i & 255) << 1).toString(16)}::/48`)
}

function cases(): Case[] {
  const addresses4 = Array.from({ length: 257 }, (_, i) => `${11 + (i & 3)}.${i & 255}.${(i * 7) & 255}.9`)
  const addresses6 = Array.from({ length: 257 }, (_, i) => `2001:${((i * 37) & 255).toString(16)}:${((i * 3) & 511).toString(16)}::1`)
  return [
    routing('host and path: 10 routes', byHost(10)),
    routing('host and path: 100 routes', byHost(100)),
    routing('host and path: 10,000 routes', byHost(10_000)),
    routing('paths of one host: 10 routes', byPath(10)),
    routing('paths of one host: 10,000 routes', byPath(10_000)),
    routing('10,000 routes, none matches', byHost(10_000), Array(64).fill({ host: 'www.customer-x.shop.test', target: '/static/x' })),
    routing('one route for everything', [{}], Array(64).fill({ host: '127.0.0.1:8080', target: '/' })),
    routing(
      'method, header, cookie, client',
      [
        { path: '/*', method: ['GET'], header: { 'x-canary': 'yes' } },
        { path: '/*', cookie: { beta: '1' } },
        { path: '/*', client: ['10.0.0.0/8'] },
        {},
      ],
      Array(64).fill({
        host: 'a',
        target: '/x',
        fields: [
          ['User-Agent', 'x'],
          ['X-Canary', 'no'],
          ['Cookie', 'a=b; beta=0'],
        ],
      }),
    ),
    routing(
      'regular expression',
      [{ path: '~ ^/v(\\d+)/x' }, { path: '~ ^/u' }, {}],
      Array(64).fill({ host: 'a', target: '/v12/users/42' }),
    ),
    normalising('normal form: nothing to do, 60 bytes', `/${'abcdefghi/'.repeat(6)}`.slice(0, 60)),
    normalising('normal form: something to do, 60 bytes', `/%61${'abcdefghi/'.repeat(6)}`.slice(0, 60)),
    addressSet('IPv4 set', ranges4(10), addresses4),
    addressSet('IPv4 set', ranges4(100_000), addresses4),
    addressSet('IPv6 set', ranges6(65_536), addresses6),
  ]
}

let guard = 0
for (const { name, run } of cases()) {
  let best = Number.POSITIVE_INFINITY
  const end = performance.now() + SECONDS * 1000
  while (performance.now() < end) {
    const start = performance.now()
    guard += run(ROUND)
    best = Math.min(best, ((performance.now() - start) * 1e6) / ROUND)
  }
  console.log(`${name.padEnd(44)} ${best.toFixed(1).padStart(8)} ns`)
}
if (guard === 0.5) console.log('')
