import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { client, requestBytes } from '../support/client.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { origin } from '../support/origin.ts'
import type { Wire } from '../support/wire.ts'

interface Client {
  readonly wire: Wire
  readonly answered: Promise<Client>
}

/** Clients that each send a request and keep their connection. */
async function clients(t: TestContext, port: number, count: number): Promise<Client[]> {
  const made: Client[] = []
  for (let i = 0; i < count; i++) {
    const wire = await client(t, { port })
    await wire.write(requestBytes(`/${i}`))
    const answered = Promise.withResolvers<Client>()
    const each = { wire, answered: answered.promise }
    wire.readResponse().then(() => answered.resolve(each), answered.reject)
    made.push(each)
  }
  return made
}

async function open(balancer: Evener): Promise<number> {
  return (await balancer.status()).listeners[0].connections
}

/** The first `count` that are answered, and the others. */
async function firstOf(all: readonly Client[], count: number): Promise<[served: Client[], waiting: Client[]]> {
  const served: Client[] = []
  while (served.length < count)
    served.push(await Promise.race(all.filter((each) => !served.includes(each)).map(({ answered }) => answered)))
  return [served, all.filter((each) => !served.includes(each))]
}

test('a listener has no more connections than its limit over all workers, and the others get their turn', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, { ...proxyTo([server.address], { http: { limits: { connections: 3 } } }), workers: 4 })
  const port = await balancer.port('web')
  let waiting = await clients(t, port, 12)
  while (waiting.length > 0) {
    const [served, others] = await firstOf(waiting, 3)
    assert.equal(await open(balancer), 3)
    assert.equal(server.requests.length, 12 - others.length)
    for (const { wire } of served) wire.end()
    waiting = others
  }
})

test('a limit that a reload raises lets in who waits, and one that it lowers closes nobody', async (t) => {
  const server = await origin(t)
  const config = (connections: number): object => proxyTo([server.address], { http: { limits: { connections } } })
  const balancer = await evener(t, config(1))
  const all = await clients(t, await balancer.port('web'), 4)
  await firstOf(all, 1)
  for (const limit of [4, 2]) {
    balancer.configure({ admin: { bind: '127.0.0.1:0' }, engine: process.env.EVENER_TEST_ENGINE ?? 'auto', workers: 2, ...config(limit) })
    assert.equal((await balancer.call('POST', '/api/v1/reload')).status, 200)
    await firstOf(all, 4)
    assert.equal(await open(balancer), 4)
  }
})

test('who goes away while it waits takes no place', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([server.address], { http: { limits: { connections: 1 } } }))
  const port = await balancer.port('web')
  const [[first]] = await firstOf(await clients(t, port, 1), 1)
  for (let i = 0; i < 4; i++) {
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.resetAndDestroy())
      socket.once('close', () => resolve())
    })
  }
  const [last] = await clients(t, port, 1)
  first.wire.end()
  await last.answered
  assert.equal(server.requests.length, 2)
})
