import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readStored, Store } from '../../../src/acme/index.ts'
import { makeSelfSigned } from '../../../src/control/self-signed.ts'
import { temporaryFolder } from '../../support/cleanup.ts'

const DIRECTORY = 'https://ca.test/dir'

function setup(t: TestContext): { folder: string; store: Store; path: string } {
  const folder = join(temporaryFolder(t), 'store')
  return { folder, store: new Store(folder), path: join(folder, 'certificates', 'shop.pem') }
}

test('the key of an account is made once, for each authority one', (t) => {
  const { folder, store } = setup(t)
  const { thumbprint } = store.accountKey(DIRECTORY)
  assert.equal(new Store(folder).accountKey(DIRECTORY).thumbprint, thumbprint)
  assert.notEqual(store.accountKey('https://other.test/dir').thumbprint, thumbprint)
  const files = readdirSync(join(folder, 'accounts'))
  assert.equal(files.length, 2)
  for (const file of files) assert.equal(statSync(join(folder, 'accounts', file)).mode & 0o777, 0o600)
})

test('a key that is damaged is told of by its file and left alone', (t) => {
  const { folder, store } = setup(t)
  store.accountKey(DIRECTORY)
  const [name] = readdirSync(join(folder, 'accounts'))
  const file = join(folder, 'accounts', name)
  writeFileSync(file, 'nonsense')
  assert.throws(() => store.accountKey(DIRECTORY), { code: 'ACME_FAILED', message: /accounts\/ca\.test-\w{8}\.pem: / })
  assert.equal(readFileSync(file, 'utf8'), 'nonsense')
})

test('folders that others can look into are closed', (t) => {
  const { folder, store } = setup(t)
  mkdirSync(join(folder, 'accounts'), { recursive: true })
  chmodSync(join(folder, 'accounts'), 0o755)
  store.accountKey(DIRECTORY)
  assert.equal(statSync(join(folder, 'accounts')).mode & 0o777, 0o700)
})

test('a certificate is read with its key, and what cannot be used is told in words', (t) => {
  const { store, path } = setup(t)
  assert.deepEqual(readStored(path, ['shop.test']), { kind: 'none' })
  const { cert, key } = makeSelfSigned(['shop.test', 'www.shop.test'])
  const put = (pem: string) => store.write(path, { pem, serial: '', notBeforeMs: 0, notAfterMs: 0, id: undefined })
  put(cert + key)
  const stored = readStored(path, ['shop.test'])
  assert.ok(stored.kind === 'read' && stored.certificate.pem === cert + key)
  assert.deepEqual(readStored(path, ['shop.test', 'mail.shop.test']), {
    kind: 'unusable',
    reason: 'the certificate is not for mail.shop.test',
  })
  put(cert + makeSelfSigned(['shop.test']).key)
  assert.deepEqual(readStored(path, ['shop.test']), { kind: 'unusable', reason: 'the key does not belong to the certificate' })
  for (const pem of [cert, key, '', 'x'.repeat(2 << 20)]) {
    put(pem)
    assert.equal(readStored(path, ['shop.test']).kind, 'unusable')
  }
  assert.deepEqual(readdirSync(join(path, '..')), ['shop.pem'], 'nothing temporary is left')
})

test('one process orders at a time; the lock of one that ended is taken over', (t) => {
  const { store, path } = setup(t)
  const now = Date.now()
  const release = store.lock(path, now)
  assert.ok(release !== undefined)
  assert.equal(store.lock(path, now), undefined)
  release()
  const lockOf = (owner: object): void =>
    writeFileSync(`${path}.lock`, JSON.stringify({ host: hostname(), pid: 1, process: 'another', ...owner }))
  lockOf({})
  assert.equal(store.lock(path, now), undefined, 'process 1 lives')
  lockOf({ pid: 2 ** 22 + 1 })
  assert.ok(store.lock(path, now) !== undefined, 'there is no such process')
  lockOf({ pid: process.pid })
  assert.ok(store.lock(path, now) !== undefined, 'a process of the same number before us')
  lockOf({ host: 'elsewhere' })
  assert.equal(store.lock(path, now), undefined)
  utimesSync(`${path}.lock`, now / 1000 - 3600, now / 1000 - 3600)
  assert.ok(store.lock(path, now) !== undefined, 'nobody orders for an hour')
  writeFileSync(`${path}.lock`, 'nonsense')
  assert.equal(store.lock(path, now), undefined, 'just being written')
})
