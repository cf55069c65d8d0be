/** Everything that a pool can have, at once, under servers and clients that behave badly: nothing may be lost or counted twice. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { client, requestBytes } from '../support/client.ts'
import { type Evener, evener } from '../support/evener.ts'
import { origin, type RawOrigin, rawOrigin } from '../support/origin.ts'
import type { Wire } from '../support/wire.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const CLIENTS = 24
const REQUESTS = 40

/** The same run each time. */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** A server that answers most requests, and the others with an error, half an answer, nonsense, silence or a reset. */
function troubled(t: TestContext, seed: number): Promise<RawOrigin> {
  const next = chance(seed)
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  return rawOrigin(t, async (wire) => {
    for (;;) {
      await wire.readRequest()
      const what = next()
      if (what < 0.7) await wire.write(OK)
      else if (what < 0.8) await wire.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n')
      else if (what < 0.85) return wire.reset()
      else if (what < 0.88) return wire.end()
      else if (what < 0.9) {
        await wire.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
        return wire.reset()
      } else if (what < 0.92) await wire.write('nonsense\r\n\r\n')
      else if (what < 0.98) {
        await turns()
        await wire.write(OK)
      } else await wire.closed()
    }
  })
}

/** Sends requests of all kinds and goes away in the middle of some. */
async function behave(t: TestContext, port: number, seed: number): Promise<number> {
  const next = chance(seed)
  let answered = 0
  let wire: Wire | undefined
  for (let i = 0; i < REQUESTS; i++) {
    wire ??= await client(t, { port })
    const hasBody = next() < 0.3
    const fields = { Cookie: `sid=${Math.floor(next() * 50)}` }
    await wire.write(
      requestBytes(`/${i}`, hasBody ? { method: next() < 0.5 ? 'PUT' : 'POST', body: 'x'.repeat(next() * 90_000), fields } : { fields }),
    )
    if (next() < 0.05) {
      wire.reset()
      wire = undefined
      continue
    }
    try {
      const response = await wire.readResponse()
      answered++
      if (response.fields.some(([name, value]) => name.toLowerCase() === 'connection' && value === 'close')) wire = undefined
    } catch {
      wire = undefined
    }
  }
  wire?.end()
  return answered
}

interface Status {
  readonly pools: readonly {
    readonly name: string
    readonly active: number
    readonly queue: { readonly length: number } | null
    readonly servers: readonly { readonly active: number; readonly connections: number }[]
  }[]
}

async function quiet(balancer: Evener): Promise<Status> {
  for (;;) {
    const { json } = await balancer.call('GET', '/api/v1/pools')
    const status = json as Status
    if (status.pools.every(({ active, queue }) => active === 0 && (queue === null || queue.length === 0))) return status
  }
}

for (const [name, persistence] of [
  ['a cookie', { cookie: {} }],
  ['a table', { table: { key: 'cookie:sid' } }],
] as const) {
  test(`with queue, limits, hedging, retries, mirror, breaker, outliers and ${name}, everything ends and is counted once`, {
    timeout: 120_000,
  }, async (t) => {
    const servers = await Promise.all([1, 2, 3].map((seed) => troubled(t, seed)))
    const shadow = await origin(t, 'shadow')
    const route = {
      pool: 'app',
      retry: { attempts: 3, on: ['reset', 'timeout', '503'], backOff: '5ms' },
      hedge: { after: '30ms' },
      mirror: { pool: 'shadow', percent: 50 },
      timeouts: { response: '300ms' },
    }
    const balancer = await evener(t, {
      listeners: { web: { bind: '127.0.0.1:0', http: { routes: [route], limits: { connections: 20 }, onServerDown: 'reset' } } },
      pools: {
        app: {
          algorithm: 'least-connections',
          servers: servers.map(({ address }) => address),
          persistence,
          limits: { maxRequests: 3, maxConnections: 4, total: { maxConnections: 10 }, queue: { size: 30, timeout: '1s' } },
          outliers: { consecutiveFailures: 5, ejection: '200ms' },
          breaker: { failures: 90, minRequests: 10, window: '1s', open: '100ms' },
          retryBudget: { percent: 50 },
          panic: 30,
        },
        shadow: { servers: [shadow.address], limits: { maxRequests: 2 } },
      },
    })
    const port = await balancer.port('web')
    const answered = await Promise.all(Array.from({ length: CLIENTS }, (_, seed) => behave(t, port, seed)))
    const total = answered.reduce((sum, each) => sum + each, 0)
    assert.ok(total > (CLIENTS * REQUESTS) / 2, `${total} answers`)
    const { pools } = await quiet(balancer)
    for (const { name: pool, servers: list } of pools) {
      for (const { active, connections } of list) assert.ok(active === 0 && connections >= 0 && connections <= (pool === 'app' ? 4 : 1000))
    }
    while ((await balancer.status()).listeners[0].connections > 0);
    assert.doesNotMatch(balancer.output, /TypeError|RangeError|worker \d+:/)
    await Promise.race([Promise.resolve(), ...servers.map(({ failure }) => failure)])
  })
}
