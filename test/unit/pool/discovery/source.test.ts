import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Discovery } from '../../../../src/pool/discovery/discovery.ts'
import { TYPE } from '../../../../src/pool/discovery/dns/message.ts'
import { type DnsTransport, Resolver } from '../../../../src/pool/discovery/dns/resolver.ts'
import { type AskSource, MAX_DISCOVERED, Source, type SourceEvent } from '../../../../src/pool/discovery/source.ts'
import { Timeline } from '../../../support/check.ts'
import { server } from '../../../support/pool.ts'

function fixture(mayEmpty = false) {
  const time = new Timeline()
  const events: SourceEvent[] = []
  let asked = 0
  let answer: AskSource = async () => ({ servers: [], validForMs: 1000 })
  const source = new Source(
    () => {
      asked++
      return answer()
    },
    { name: 'dns app', mayEmpty, delay: time.delay, wallClock: () => time.wallClock(), tell: (event) => events.push(event) },
  )
  const found =
    (...names: string[]): AskSource =>
    async () => ({ servers: names.map((name) => server(name)), validForMs: 5000 })
  return {
    time,
    source,
    events,
    asked: () => asked,
    found,
    next: (ask: AskSource) => {
      answer = ask
    },
    fails:
      (reason: string): AskSource =>
      async () =>
        Promise.reject(new Error(reason)),
    /** Lets time pass and the question that is due then be answered. */
    async pass(ms: number) {
      time.advance(ms)
      for (let turn = 0; turn < 10; turn++) await Promise.resolve()
    },
  }
}

test('a source is asked again when its answer has run out, not before', async () => {
  const on = fixture()
  on.next(on.found('b', 'a'))
  on.source.start()
  await on.source.asked
  assert.deepEqual(
    on.source.servers.map(({ name }) => name),
    ['a', 'b'],
  )
  await on.pass(4999)
  assert.equal(on.asked(), 1)
  on.next(on.found('a', 'b', 'a'))
  await on.pass(1)
  assert.equal(on.asked(), 2)
  assert.equal(on.events.length, 1, 'the same servers in another order are no change')
})

test('a source that fails keeps its servers, is tried again ever more slowly, and is told of once', async () => {
  const on = fixture()
  on.next(on.found('a'))
  on.source.start()
  await on.source.asked
  on.next(on.fails('connection refused'))
  await on.pass(5000)
  for (const ms of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    const before = on.asked()
    await on.pass(ms - 1)
    assert.equal(on.asked(), before)
    await on.pass(1)
    assert.equal(on.asked(), before + 1)
  }
  assert.equal(on.source.servers.length, 1)
  on.next(on.found('a'))
  await on.pass(30_000)
  assert.deepEqual(
    on.events.map(({ kind, reason }) => `${kind}: ${reason}`),
    [
      'changed: 1 server: + a 127.0.0.1:8000',
      'failed: connection refused; going on with the last answer (1 server)',
      'recovered: it answers again',
    ],
  )
})

test('an answer without servers empties only what may be emptied', async () => {
  for (const mayEmpty of [false, true]) {
    const on = fixture(mayEmpty)
    on.next(on.found('a'))
    on.source.start()
    await on.source.asked
    on.next(on.found())
    await on.pass(5000)
    assert.equal(on.source.servers.length, mayEmpty ? 0 : 1)
    assert.equal(on.events.at(-1)?.kind, mayEmpty ? 'changed' : 'failed')
  }
})

test('more servers than the limit are left out, and that is told', async () => {
  const on = fixture()
  on.next(on.found(...Array.from({ length: MAX_DISCOVERED + 5 }, (_, index) => `s${index}`)))
  on.source.start()
  await on.source.asked
  assert.equal(on.source.servers.length, MAX_DISCOVERED)
  assert.equal(on.events[0].kind, 'cut')
})

test('a source that was closed tells and asks nothing more', async () => {
  const on = fixture()
  on.source.start()
  on.source.close()
  await on.source.asked
  await on.pass(60_000)
  assert.equal(on.asked(), 1)
  assert.deepEqual(on.events, [])
})

/** A resolver that answers each question from a table of hex: id and question are put before. */
function transport(answers: Readonly<Record<string, string | Error>>): DnsTransport & { readonly questions: string[] } {
  const questions: string[] = []
  return {
    questions,
    async udp(at, query, _timeoutMs, accepts) {
      const name = readName(query)
      questions.push(`${(at as { host: string }).host} ${name}`)
      const found = answers[`${(at as { host: string }).host} ${name}`] ?? new Error('no answer')
      if (found instanceof Error) throw found
      const [flags, count, records] = found.split(' ')
      const head = Buffer.concat([query.subarray(0, 2), Buffer.from(`${flags}0001${count}00000000`, 'hex')])
      const bytes = Buffer.concat([head, query.subarray(12, query.length - 11), Buffer.from(records ?? '', 'hex')])
      const forged = Buffer.from(bytes)
      forged[0] ^= 1
      assert.equal(accepts(forged), false, 'an answer with another id is ignored')
      assert.equal(accepts(bytes), true)
      return bytes
    },
    tcp: () => Promise.reject(new Error('no TCP')),
  }
}

function readName(query: Uint8Array): string {
  const labels: string[] = []
  for (let at = 12; query[at] !== 0; at += 1 + query[at]) labels.push(Buffer.from(query.subarray(at + 1, at + 1 + query[at])).toString())
  return labels.join('.')
}

const SERVERS = [
  { family: 4, host: '10.0.0.1', port: 53 },
  { family: 4, host: '10.0.0.2', port: 53 },
] as const

test('the next resolver is asked where one is silent or refuses, and all reasons are told when none helps', async () => {
  const good = transport({ '10.0.0.1 a.test': '8182 0000', '10.0.0.2 a.test': '8180 0001 c00c00010001000000080004c0000201' })
  const { records, ttlSeconds } = await new Resolver(good, { servers: SERVERS, timeoutMs: 100 }).resolve('a.test', TYPE.A)
  assert.deepEqual([...(records[0].address ?? [])], [192, 0, 2, 1])
  assert.equal(ttlSeconds, 8)
  const bad = transport({ '10.0.0.1 a.test': '8185 0000', '10.0.0.2 a.test': new Error('connection refused') })
  await assert.rejects(new Resolver(bad, { servers: SERVERS, timeoutMs: 100 }).resolve('a.test', TYPE.A), {
    message: '10.0.0.1:53 says REFUSED, 10.0.0.2:53: connection refused',
  })
  assert.equal(bad.questions.length, 4, 'each is asked twice')
})

test('an alias that the resolver does not follow is followed, and one in a circle is given up', async () => {
  const alias = (to: string) =>
    `c00c00050001000000${to.length < 10 ? '07' : '20'}${(to.length + 2).toString(16).padStart(4, '0')}${label(to)}`
  const label = (name: string) =>
    `${name
      .split('.')
      .map((part) => Buffer.from([part.length]).toString('hex') + Buffer.from(part).toString('hex'))
      .join('')}00`
  const some = transport({
    '10.0.0.1 a.test': `8180 0001 ${alias('b.test')}`,
    '10.0.0.1 b.test': '8180 0001 c00c00010001000000090004c0000201',
  })
  const { records, ttlSeconds } = await new Resolver(some, { servers: SERVERS.slice(0, 1), timeoutMs: 100 }).resolve('a.test', TYPE.A)
  assert.equal(records.length, 1)
  assert.equal(ttlSeconds, 7, 'the alias runs out before the address')
  const circle = transport({ '10.0.0.1 a.test': `8180 0001 ${alias('b.test')}`, '10.0.0.1 b.test': `8180 0001 ${alias('a.test')}` })
  await assert.rejects(new Resolver(circle, { servers: SERVERS.slice(0, 1), timeoutMs: 100 }).resolve('a.test', TYPE.A), /aliases/)
})

test('sources of a plan that does not come into force end, and those of the plan before have lost nothing', async () => {
  const time = new Timeline()
  const asked: string[] = []
  const discovery = new Discovery({
    delay: time.delay,
    clock: time,
    access: {
      dns: transport({}),
      systemResolvers: () => [],
      readFile: async ({ path }) => {
        asked.push(path)
        return ['10.0.0.1:80']
      },
      fetch: () => Promise.reject(new Error('no')),
    },
  })
  const pools = (path: string) => [{ name: 'app', discover: [{ kind: 'file', mayEmpty: false, path, intervalMs: 1000 }] as const }]
  discovery.prepare(pools('one'))
  await discovery.settled(1000)
  discovery.commit()
  discovery.prepare(pools('two'))
  await discovery.settled(1000)
  discovery.rollback()
  assert.deepEqual(
    [...discovery.serversOf('app').values()].map(({ source }) => source),
    ['file one'],
  )
  time.advance(1000)
  assert.deepEqual(asked, ['one', 'two', 'one'])
  discovery.close()
  time.advance(5000)
  assert.equal(asked.length, 3)
})
