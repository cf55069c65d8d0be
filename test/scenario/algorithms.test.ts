import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CATALOGUE } from '../../src/pool/index.ts'
import { type RequestOptions, request } from '../support/client.ts'
import { evener } from '../support/evener.ts'
import { origin } from '../support/origin.ts'

const KEYS = ['source', 'destination', 'uri', 'header:X-User', 'cookie:sid', 'query:id']
/** Waits for what an agent reports. */
const OFFERED = CATALOGUE.filter(({ name }) => name !== 'resource')

describe('every algorithm of the proxy, by its configuration', { timeout: 60_000 }, () => {
  let port = 0

  const ends: (() => void | Promise<void>)[] = []
  const cleanup = { after: (end: () => void | Promise<void>) => void ends.push(end) }

  after(async () => {
    for (const end of ends) await end()
  })

  before(async () => {
    const servers = await Promise.all(['a', 'b', 'c'].map(async (name) => ({ name, address: (await origin(cleanup, name)).address })))
    const pools: Record<string, object> = {}
    for (const { name } of OFFERED) pools[name] = { algorithm: name, servers }
    for (const key of KEYS) pools[`by-${key.replace(':', '-')}`] = { algorithm: { name: 'hash', key }, servers }
    pools['by-segments'] = { algorithm: { name: 'uri-hash', depth: 2 }, servers }
    pools['by-path-and-query'] = { algorithm: { name: 'uri-hash', withQuery: true }, servers }
    const routes = Object.keys(pools).map((pool) => ({ match: { host: pool.toLowerCase() }, pool }))
    const balancer = await evener(cleanup, { listeners: { web: { bind: '127.0.0.1:0', http: { routes } } }, pools })
    port = await balancer.port('web')
  })

  /** The servers that answer these requests. */
  async function ask(pool: string, requests: readonly [uri: string, options?: RequestOptions][]): Promise<string[]> {
    const answers: string[] = []
    for (const [uri, options] of requests) {
      const response = await request(cleanup, { port }, uri, { host: pool, ...options })
      assert.equal(response.status, 200, `${pool} ${uri}`)
      answers.push(response.body.toString())
    }
    return answers
  }

  const many = (make: (i: number) => [string, RequestOptions?]): [string, RequestOptions?][] =>
    Array.from({ length: 24 }, (_, i) => make(i))
  const again = <T>(list: readonly T[]): T[] => [...list, ...list]

  for (const { name } of OFFERED) {
    it(`${name} serves`, async () => {
      assert.equal((await ask(name, [['/'], ['/a?b=c']])).length, 2)
    })
  }

  for (const [pool, requests] of [
    ['by-header-X-User', many((i) => ['/', { fields: { 'x-user': `user${i}` } }])],
    ['by-cookie-sid', many((i) => ['/', { fields: { cookie: `a=b; sid=${i}` } }])],
    ['by-query-id', many((i) => [`/?x=y&id=${i}`])],
    ['by-uri', many((i) => [`/item/${i}`])],
    ['by-path-and-query', many((i) => [`/item?${i}`])],
    ['by-segments', many((i) => [`/shop/${i}/page`])],
  ] as const) {
    it(`${pool}: a key stays on its server, and keys use all servers`, async () => {
      const answers = await ask(pool, again(requests))
      assert.deepEqual(answers.slice(0, requests.length), answers.slice(requests.length))
      assert.deepEqual([...new Set(answers)].sort(), ['a', 'b', 'c'])
    })
  }

  it('only the configured part of the URI counts', async () => {
    assert.equal(
      new Set(
        await ask(
          'by-uri',
          many((i) => [`/one?${i}`]),
        ),
      ).size,
      1,
    )
    assert.equal(
      new Set(
        await ask(
          'by-segments',
          many((i) => [`/one/two/${i}`]),
        ),
      ).size,
      1,
    )
    assert.ok(
      new Set(
        await ask(
          'by-segments',
          many((i) => [`/one/${i}/two`]),
        ),
      ).size > 1,
    )
  })

  it('all requests of an address go to one server, as do all that came to one address', async () => {
    for (const pool of ['by-source', 'by-destination', 'source-hash', 'destination-hash', 'ring', 'maglev', 'locality'])
      assert.equal(
        new Set(
          await ask(
            pool,
            many((i) => [`/${i}`]),
          ),
        ).size,
        1,
        pool,
      )
  })

  it('requests without the key are served in turn', async () => {
    assert.deepEqual(
      [
        ...new Set(
          await ask(
            'by-header-X-User',
            many(() => ['/']),
          ),
        ),
      ].sort(),
      ['a', 'b', 'c'],
    )
  })
})
