import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type AcmeSetup, acmeSetup, shown } from '../support/acme.ts'
import { command } from '../support/command.ts'
import { evener } from '../support/evener.ts'
import { needs } from '../support/needs.ts'
import { renewalInfo } from '../support/renewal-info.ts'

const authority = needs('pebble', 'pebble-challtestsrv', 'openssl')
const THERE = /a certificate is there, until 20/
const CERTIFICATE = [{ acme: 'shop.test', challenge: 'http-01' }]

async function serialShown({ secure }: Pick<AcmeSetup, 'secure'>, name = 'shop.test'): Promise<string> {
  return (await shown(secure, name, '')).certificate.serialNumber
}

function fileOf({ storage }: AcmeSetup): string {
  const folder = join(storage, 'certificates')
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.pem')) as string)
}

test('an operator has a certificate renewed, and sees when it will be', authority, async (t) => {
  const setup = await acmeSetup(t)
  const { running } = setup
  await setup.configure(CERTIFICATE)
  await running.printed(THERE)
  const before = await serialShown(setup)
  const renewed = await command(t, ['certificates', 'renew', 'shop.test', '--admin', running.admin])
  assert.match(renewed.stdout, /^1 certificate is ordered/)
  await running.printed(/acme shop\.test \(ec256\): it was renewed, until/)
  const after = await serialShown(setup)
  assert.notEqual(after, before)
  assert.equal(new X509Certificate(readFileSync(fileOf(setup))).serialNumber, after)
  const listed = await command(t, ['certificates', '--admin', running.admin])
  assert.match(listed.stdout, /names +DNS:shop\.test\n[\s\S]*order +waiting\n +next order +20/)
  const { json } = await running.call('GET', '/api/v1/certificates')
  const [{ acme, expiresAt }] = (json as { certificates: { acme: { nextOrderAt: string }; expiresAt: string }[] }).certificates
  const leftDays = (Date.parse(expiresAt) - Date.parse(acme.nextOrderAt)) / 86_400_000
  assert.ok(leftDays >= 30 && leftDays <= 34.6, `${leftDays} days`)
  const { text } = await running.call('GET', '/metrics')
  assert.match(text, /evener_acme_orders_total\{certificate="[^"]+",result="good"\} 2\n/)
  assert.match(text, /evener_acme_last_success_timestamp_seconds\{certificate="[^"]+"\} 1\d{9}/)
  assert.equal((await running.call('POST', '/api/v1/certificates/renew', { name: 'other.test' })).status, 404)
})

test('a certificate of short life is renewed by itself, with a new key', authority, async (t) => {
  const setup = await acmeSetup(t, { validitySeconds: 4 })
  await setup.configure(CERTIFICATE)
  await setup.running.printed(THERE)
  const before = readFileSync(fileOf(setup), 'utf8')
  await setup.running.printed(/acme shop\.test \(ec256\): it was renewed, until/)
  const after = readFileSync(fileOf(setup), 'utf8')
  const publicKey = (pem: string): string => new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'pem' }).toString()
  assert.notEqual(publicKey(after), publicKey(before))
})

test('a renewal that fails leaves the certificate in force, and is told in status and metrics', authority, async (t) => {
  const setup = await acmeSetup(t)
  const { running } = setup
  await setup.configure(CERTIFICATE)
  await running.printed(THERE)
  const before = await serialShown(setup)
  await setup.authority.peer.stop()
  await running.call('POST', '/api/v1/certificates/renew')
  await running.printed(/no certificate: .*; it is tried again in/)
  assert.equal(await serialShown(setup), before)
  const status = await command(t, ['status', '--admin', running.admin])
  assert.match(status.stdout, /shop\.test\S* +secure .* failing/)
  const { text } = await running.call('GET', '/metrics')
  assert.match(text, /evener_acme_orders_total\{certificate="[^"]+",result="failed"\} [1-9]/)
})

test('a start takes the certificate out of the store, without its authority', authority, async (t) => {
  const setup = await acmeSetup(t)
  await setup.configure(CERTIFICATE)
  await setup.running.printed(THERE)
  const before = await serialShown(setup)
  await setup.authority.peer.stop()
  const second = await evener(t, setup.config(CERTIFICATE))
  assert.equal(await serialShown({ secure: await second.port('secure') }), before)
})

test('a damaged file is told of and ordered anew', authority, async (t) => {
  const setup = await acmeSetup(t)
  await setup.configure(CERTIFICATE)
  await setup.running.printed(THERE)
  writeFileSync(fileOf(setup), 'nonsense')
  await setup.running.call('POST', '/api/v1/certificates/renew')
  await setup.running.printed(/shop\.test\S+\.pem cannot be used and is ordered anew/)
  await setup.running.printed(/a certificate is there[\s\S]*a certificate is there/)
  assert.ok((await shown(setup.secure, 'shop.test', await setup.authority.material('roots/0'))).isTrusted)
})

test('what one Evener has ordered another one with the same store takes up', authority, async (t) => {
  const setup = await acmeSetup(t)
  await setup.configure(CERTIFICATE)
  await setup.running.printed(THERE)
  const second = await evener(t, setup.config(CERTIFICATE))
  const secure = await second.port('secure')
  await setup.running.call('POST', '/api/v1/certificates/renew')
  await setup.running.printed(/it was renewed/)
  await second.printed(/certificates were read again/)
  assert.equal(await serialShown({ secure }), await serialShown(setup))
  assert.doesNotMatch(second.output, /it was renewed|no certificate/)
})

test('the authority says when to renew, and is told what is replaced', authority, async (t) => {
  const setup = await acmeSetup(t)
  const hour = 3_600_000
  let first = ''
  const info = await renewalInfo(t, setup.authority, (id) => {
    first ||= id
    // The first certificate is to be renewed at once, the second in a week.
    const startMs = id === first ? Date.now() - 2 * hour : Date.now() + 167 * hour
    return { start: new Date(startMs), end: new Date(startMs + hour), retryAfter: '3600' }
  })
  await setup.configure(CERTIFICATE, { directory: info.directory, ca: info.caFile })
  await setup.running.printed(/it was renewed, until/)
  assert.deepEqual(
    info.orders.map(({ replaces }) => replaces),
    [undefined, first],
  )
  const leaf = new X509Certificate(readFileSync(fileOf(setup)))
  for (;;) {
    const { json } = await setup.running.call('GET', '/api/v1/certificates')
    const { acme } = (json as { certificates: { acme: { nextOrderAt: string | null } }[] }).certificates[0]
    if (acme.nextOrderAt === null || info.asked.length < 2) continue
    const inHours = (Date.parse(acme.nextOrderAt) - Date.now()) / hour
    assert.ok(inHours > 166 && inHours < 169, acme.nextOrderAt)
    break
  }
  const serial = Buffer.from(info.asked[1].split('.')[1], 'base64url').toString('hex')
  assert.equal(serial.replace(/^00/, '').toUpperCase(), leaf.serialNumber)
})
