import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { AcmeClient, Keeper, Store } from '../../../src/acme/index.ts'
import { AccountKey } from '../../../src/acme/jws.ts'
import { makeSelfSigned } from '../../../src/control/self-signed.ts'
import type { WebRequest, WebResponse } from '../../../src/core/index.ts'
import { temporaryFolder } from '../../support/cleanup.ts'
import { FakePace } from '../../support/fake-pace.ts'

const DIRECTORY = { newNonce: 'https://ca.test/nonce', newAccount: 'https://ca.test/account', newOrder: 'https://ca.test/order' }
const MINUTE = 60_000
const DAY = 86_400_000

interface Setup {
  readonly keeper: Keeper
  readonly pace: FakePace
  readonly store: Store
  readonly path: string
  readonly log: string[]
  readonly asked: string[]
  directory: object
  /** Answers everything but the directory and nonces. */
  answer: (request: WebRequest) => Partial<WebResponse> & { readonly json?: unknown }
}

function setup(t: TestContext, prepare: (setup: Setup) => void = () => {}): Setup {
  const folder = join(temporaryFolder(t), 'store')
  const path = join(folder, 'certificates', 'shop.test.pem')
  const pace = new FakePace()
  const self: Setup = {
    keeper: undefined as never,
    pace,
    store: new Store(folder),
    path,
    log: [],
    asked: [],
    directory: DIRECTORY,
    answer: () => problem(500, 'serverInternal', 'out of order'),
  }
  const respond = (request: WebRequest): ReturnType<Setup['answer']> => {
    if (request.url.endsWith('/dir')) return { json: self.directory }
    if (request.method === 'HEAD') return {}
    self.asked.push(request.url)
    return self.answer(request)
  }
  const ask = async (request: WebRequest): Promise<WebResponse> => {
    const { status = 200, headers = {}, json } = respond(request)
    return { status, headers: { 'replay-nonce': 'n', ...headers }, body: Buffer.from(JSON.stringify(json ?? {})) }
  }
  const account = { directory: 'https://ca.test/dir', key: AccountKey.create(), email: undefined, externalAccount: undefined }
  prepare(self)
  const keeper = new Keeper(
    { path, names: ['shop.test'], keyType: 'ec256', challenge: 'http-01' },
    {
      store: self.store,
      pace,
      answerer: { present: async () => {}, remove: async () => {} },
      renewBeforeMs: undefined,
      backOffMs: MINUTE,
      maxBackOffMs: 8 * MINUTE,
      client: () => new AcmeClient(account, ask, () => pace.now()),
      renewed: async () => {},
      log: (_level, message) => self.log.push(message),
    },
  )
  t.after(async () => {
    keeper.close()
    await keeper.ended
  })
  return Object.assign(self, { keeper })
}

function problem(
  status: number,
  type: string,
  detail: string,
  headers: Record<string, string> = {},
): Partial<WebResponse> & { json: unknown } {
  return { status, headers, json: { type: `urn:ietf:params:acme:error:${type}`, detail } }
}

/** A certificate of 90 days that began yesterday. */
function put({ store, path }: Setup): string {
  const { cert, key } = makeSelfSigned(['shop.test'])
  store.write(path, { pem: cert + key, serial: '', notBeforeMs: 0, notAfterMs: 0, id: undefined })
  return cert
}

test('waits after failures double up to their maximum, and what the authority said is told', async (t) => {
  const self = setup(t)
  await self.pace.settled()
  const waits: number[] = []
  for (let i = 0; i < 5; i++) waits.push((await self.pace.next()) / MINUTE)
  // Half of each by chance, which is none here.
  assert.deepEqual(waits, [0.5, 1, 2, 4, 4])
  assert.match(self.log[0], /^acme shop\.test \(ec256\): no certificate: serverInternal: out of order; it is tried again in 30 s$/)
  const { state, failures, failureCount, successCount, failure } = self.keeper.status()
  assert.deepEqual(
    { state, failures, failureCount, successCount, failure },
    {
      state: 'failing',
      failures: 6,
      failureCount: 6,
      successCount: 0,
      failure: 'serverInternal: out of order',
    },
  )
  assert.equal(existsSync(`${self.path}.lock`), false)
})

test('an authority that wants to be left alone for an hour is', async (t) => {
  const self = setup(t, (before) => {
    before.answer = () => problem(429, 'rateLimited', 'too many', { 'retry-after': '3600' })
  })
  await self.pace.settled()
  assert.equal(await self.pace.next(), 60 * MINUTE)
  assert.match(self.log[0], /rateLimited: too many; it is tried again in 60 minutes/)
})

test('a good certificate is left alone until its time has come, and a failed renewal leaves it', async (t) => {
  const self = setup(t, (before) => void put(before))
  await self.pace.settled()
  assert.equal(self.asked.length, 0)
  const inDays = (self.keeper.status().nextMs - self.pace.now()) / DAY
  // 91 days in all, of which one is over, and a third is to be left.
  assert.ok(Math.abs(inDays - (91 * 2) / 3 + 1) < 0.01, `${inDays} days`)
  const pem = readFileSync(self.path, 'utf8')
  while (self.asked.length === 0) await self.pace.next()
  assert.equal(self.keeper.status().state, 'failing')
  assert.equal(readFileSync(self.path, 'utf8'), pem)
})

test('an authority that cannot be asked when to renew does not keep the certificate from being renewed in time', async (t) => {
  const self = setup(t, (before) => {
    before.directory = { ...DIRECTORY, renewalInfo: 'https://ca.test/renewal' }
    before.answer = ({ url }) => (url.includes('/renewal/') ? { status: 503 } : problem(500, 'serverInternal', 'out of order'))
    put(before)
  })
  await self.pace.settled()
  const inDays = (self.keeper.status().nextMs - self.pace.now()) / DAY
  assert.ok(inDays > 59 && inDays < 60, `${inDays} days`)
})

test('what another process orders is left to it', async (t) => {
  const self = setup(t, (before) => {
    before.store.lock(before.path, Date.now())
    // Of a process on another machine: nobody here can tell whether it lives.
    writeFileSync(`${before.path}.lock`, JSON.stringify({ host: 'elsewhere', pid: 1, process: 'another' }))
  })
  await self.pace.settled()
  assert.equal(self.asked.length, 0)
  assert.match(self.log[0], /another process orders it/)
  await self.pace.next()
  assert.equal(self.log.length, 1)
  put(self)
  await self.pace.next()
  assert.equal(self.asked.length, 0)
  assert.ok(self.keeper.status().nextMs > self.pace.now() + 50 * DAY)
})

test('a directory whose addresses are not at https is refused', async (t) => {
  const self = setup(t, (before) => {
    before.directory = { ...DIRECTORY, newNonce: 'http://ca.test/nonce' }
  })
  await self.pace.settled()
  assert.match(self.log[0], /the authority's newNonce is no address at https/)
})
