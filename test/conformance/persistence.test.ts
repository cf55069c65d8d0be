import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ADMIN, HEALTH, type PersistenceDefinition, PickContext, Pool, SeededRandom } from '../../src/pool/index.ts'
import { SERVER } from '../../src/pool/layout.ts'
import { type Bench, bench, definition, NumberedKey, weighted } from '../support/pool.ts'

const COOKIE = { kind: 'cookie', name: 'EVSRV', domain: '', path: '/', secure: false, httpOnly: true, sameSite: '', maxAge: 0 } as const

const STORES: readonly (readonly [string, PersistenceDefinition])[] = [
  ['cookie insert, plain', { ...COOKIE, mode: 'insert', format: 'plain', secrets: [] }],
  ['cookie insert, signed', { ...COOKIE, mode: 'insert', format: 'signed', secrets: ['s'] }],
  ['cookie insert, encrypted', { ...COOKIE, mode: 'insert', format: 'encrypted', secrets: ['s'] }],
  ['cookie prefix', { ...COOKIE, mode: 'prefix', format: 'signed', secrets: ['s'] }],
  ['cookie rewrite', { ...COOKIE, mode: 'rewrite', format: 'signed', secrets: ['s'] }],
  ['cookie passive', { ...COOKIE, mode: 'passive', format: 'plain', secrets: [] }],
  ['table by source', { kind: 'table', key: { key: 'source' }, ttlSeconds: 60, size: 1000 }],
  ['table by header', { kind: 'table', key: { key: 'header:x-user' }, ttlSeconds: 60, size: 1000 }],
]

/** A browser: it keeps the cookie that it is given, and always comes from the same address. */
class Client {
  readonly #key = new NumberedKey()
  #cookie: string | undefined

  constructor(number: number) {
    this.#key.number = number
  }

  /** One request, as the proxy does it. Returns the server's name. */
  request(pool: Pool, context: PickContext, nowMs = 1000): string {
    context.keySource = this.#key
    context.begin(nowMs)
    if (pool.cookie !== null) context.persisted = pool.cookie.read(this.#cookie).index
    const before = context.persisted
    const index = pool.pick(context)
    if (index < 0) return String(index)
    assert.ok(pool.acquire(index))
    pool.remember(index, context)
    pool.release(index)
    this.#keep(pool, index, before)
    return pool.servers[index].name
  }

  #keep(pool: Pool, index: number, before: number): void {
    const { cookie } = pool
    if (cookie === null) return
    const byServer = `EVSRV=${cookie.mode === 'passive' ? pool.servers[index].name : 'own'}; Path=/`
    const line = cookie.mode === 'insert' ? cookie.insertion(index, before) : (cookie.rewrite(byServer, index) ?? byServer)
    if (line !== undefined) this.#cookie = /=([^;]*)/.exec(line)?.[1]
  }
}

for (const [name, persistence] of STORES) {
  describe(name, () => {
    const made = (): Bench & { other: Pool; client: (number: number) => Client } => {
      const pool = definition(weighted(1, 1, 1), { persistence })
      const on = bench(pool)
      return { ...on, other: new Pool(pool, on.assignment.pools[0], on.table, 1), client: (number) => new Client(number) }
    }

    test('a client stays with its server, in every worker, and new clients are shared out', () => {
      const on = made()
      const clients = [0, 1, 2, 3, 4, 5].map(on.client)
      const first = clients.map((client) => client.request(on.pool, on.context))
      assert.deepEqual(new Set(first), new Set(['a', 'b', 'c']))
      for (let round = 0; round < 3; round++) {
        assert.deepEqual(
          clients.map((client) => client.request(round % 2 === 0 ? on.other : on.pool, on.context)),
          first,
        )
      }
    })

    test('a session stays on a server that drains or has weight 0; new clients do not come there', () => {
      const on = made()
      const old = on.client(1)
      const home = old.request(on.pool, on.context)
      const index = on.pool.servers.findIndex((server) => server.name === home)
      on.table.setAdmin(on.slot(index), ADMIN.DRAIN, 1)
      assert.equal(old.request(on.pool, on.context), home)
      for (let i = 10; i < 20; i++) assert.notEqual(on.client(i).request(on.pool, on.context), home)
      on.table.setAdmin(on.slot(index), ADMIN.READY, 1)
      on.table.setWeight(on.slot(index), 0)
      assert.equal(old.request(on.pool, on.context), home)
    })

    test('a session moves when its server is down or in maintenance, and then stays where it went', () => {
      for (const take of ['down', 'maintenance'] as const) {
        const on = made()
        const client = on.client(1)
        const home = client.request(on.pool, on.context)
        const index = on.pool.servers.findIndex((server) => server.name === home)
        if (take === 'down') on.table.setHealth(on.slot(index), HEALTH.DOWN, 1)
        else on.table.setAdmin(on.slot(index), ADMIN.MAINTENANCE, 1)
        const next = client.request(on.pool, on.context)
        assert.notEqual(next, home)
        on.table.setHealth(on.slot(index), HEALTH.UP, 2)
        on.table.setAdmin(on.slot(index), ADMIN.READY, 2)
        assert.equal(client.request(on.pool, on.context), next)
      }
    })

    test('a retry goes to another server', () => {
      const on = made()
      const client = on.client(1)
      client.request(on.pool, on.context)
      const home = on.pool.pick(on.context)
      on.context.exclude(home)
      assert.notEqual(on.pool.pick(on.context), home)
    })

    test('a session survives a reload that adds and removes other servers', () => {
      const servers = weighted(1, 1, 1)
      const before = definition(servers, { persistence })
      const on = bench(before)
      const clients = [0, 1, 2, 3, 4, 5].map((number) => new Client(number))
      const first = clients.map((client) => client.request(on.pool, on.context))
      const after = definition([weighted(1, 1, 1, 1)[3], servers[2], servers[0]], { persistence })
      const assignment = on.slots.prepare([after], 2, 1)
      on.slots.commit([after], assignment, 1)
      const pool = new Pool(after, assignment.pools[0], on.table, 0)
      const context = new PickContext(new SeededRandom(2))
      for (const [i, client] of clients.entries()) {
        const now = client.request(pool, context)
        if (first[i] === 'b') assert.notEqual(now, 'b')
        else assert.equal(now, first[i])
      }
    })
  })
}

test('a slot that is given away takes no sessions with it', () => {
  const persistence = { kind: 'table', key: {}, ttlSeconds: 60, size: 100 } as const
  const on = bench(definition(weighted(1), { persistence }))
  const client = new Client(1)
  client.request(on.pool, on.context)
  on.table.holdPlan(0, 1)
  const next = definition([weighted(1, 1)[1]], { persistence })
  on.slots.commit([next], on.slots.prepare([next], 2, 1), 1)
  on.table.holdPlan(0, 2)
  on.slots.reclaim()
  assert.equal(on.slots.usedServers, 1)
  const more = definition(weighted(1, 1, 1), { persistence })
  const assignment = on.slots.prepare([more], 3, 1)
  on.slots.commit([more], assignment, 1)
  assert.equal(assignment.pools[0].slots.filter((slot) => slot === on.slot(0)).length, 1)
  assert.deepEqual(
    assignment.pools[0].slots.map((slot) => on.table.words[on.table.serverRow(slot) + SERVER.SESSIONS]),
    [0, 0, 0],
  )
})
