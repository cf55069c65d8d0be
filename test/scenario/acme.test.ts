import assert from 'node:assert/strict'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect as connectPlain, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { type AcmeSetup, acmeSetup, shown } from '../support/acme.ts'
import { type Cleanup, temporaryFolder } from '../support/cleanup.ts'
import { type RequestOptions, request } from '../support/client.ts'
import { needs } from '../support/needs.ts'
import { Authority } from '../support/openssl.ts'
import { origin } from '../support/origin.ts'
import { challengeServer } from '../support/pebble.ts'

const authority = needs('pebble', 'pebble-challtestsrv', 'openssl')
const THERE = /a certificate is there, until 20/

/** Waits until it is in force, and says whether the authority's root vouches for what is shown. */
async function isServed({ running, secure, authority: ca }: AcmeSetup, names: readonly string[]): Promise<boolean> {
  await running.printed(THERE)
  const root = await ca.material('roots/0')
  const all = await Promise.all(names.map((name) => shown(secure, name, root)))
  return all.every(({ isTrusted }) => isTrusted)
}

test('a certificate is had by http-01, served at once, and kept where nobody else can read it', authority, async (t) => {
  const setup = await acmeSetup(t)
  const { secure, storage, authority: ca, running } = setup
  assert.equal((await shown(secure, 'shop.test', await ca.material('roots/0'))).isTrusted, false)
  await setup.configure([{ acme: ['shop.test', 'www.shop.test'], challenge: 'http-01' }])
  assert.ok(await isServed(setup, ['shop.test', 'www.shop.test']))
  assert.match(ca.peer.output(), /validate w\/ HTTP/)
  for (const folder of ['accounts', 'certificates']) {
    assert.equal(statSync(join(storage, folder)).mode & 0o777, 0o700)
    const files = readdirSync(join(storage, folder))
    assert.equal(files.length, 1, files.join())
    assert.equal(statSync(join(storage, folder, files[0])).mode & 0o777, 0o600)
  }
  assert.equal(statSync(storage).mode & 0o777, 0o700)
  assert.match(running.output, /acme shop\.test, www\.shop\.test \(ec256\): a certificate is there/)
})

test('a certificate is had by tls-alpn-01, and other clients of that protocol are refused', authority, async (t) => {
  const setup = await acmeSetup(t, { httpPort: 1 })
  await setup.configure([{ acme: 'shop.test', keyType: 'rsa2048' }, { acme: 'shop.test' }])
  await setup.running.printed(/acme shop\.test \(rsa2048\): a certificate is there/)
  await setup.running.printed(/acme shop\.test \(ec256\): a certificate is there/)
  assert.ok(await isServed(setup, ['shop.test']))
  await assert.rejects(shown(setup.secure, 'shop.test', '', { ALPNProtocols: ['acme-tls/1'] }), /no application protocol/)
})

test('an authority that looks is not asked for a certificate of its own, as clients of the listener are', authority, async (t) => {
  const staff = new Authority(t)
  const setup = await acmeSetup(t, {}, { tls: { clientCertificates: { ca: staff.certFile } } })
  await setup.configure([{ acme: 'shop.test' }])
  await setup.running.printed(THERE)
  const { cert, key } = staff.issue({ name: 'alice' })
  assert.ok((await shown(setup.secure, 'shop.test', await setup.authority.material('roots/0'), { cert, key })).isTrusted)
})

test('a listener behind a balancer that introduces clients answers tls-alpn-01 too', authority, async (t) => {
  const listener = { acceptProxyProtocol: { from: ['127.0.0.1/32'] } }
  const balancer = await introducer(t)
  const setup = await acmeSetup(t, { tlsPort: balancer.port }, listener)
  balancer.target = setup.secure
  await setup.configure([{ acme: 'shop.test' }])
  await setup.running.printed(THERE)
  const { listeners } = await setup.running.status()
  assert.equal(listeners[0].connections, 0)
})

test(
  'a wildcard is had by dns-01, whose command is told the record and takes it out again',
  needs('pebble', 'pebble-challtestsrv', 'openssl', 'curl'),
  async (t) => {
    const names = await challengeServer(t)
    const folder = temporaryFolder(t)
    const [script, log] = [join(folder, 'hook'), join(folder, 'log')]
    writeFileSync(
      script,
      `#!/bin/sh
echo "$@ / $EVENER_ACTION $EVENER_RECORD $EVENER_VALUE" >> ${log}
case $2 in
present) exec curl -sSf -d "{\\"host\\":\\"$3.\\",\\"value\\":\\"$4\\"}" $1/set-txt ;;
cleanup) exec curl -sSf -d "{\\"host\\":\\"$3.\\"}" $1/clear-txt ;;
esac
`,
    )
    chmodSync(script, 0o700)
    const setup = await acmeSetup(t, { dnsServer: names.dns })
    await setup.configure([{ acme: ['*.shop.test', 'other.test'], challenge: 'dns-01' }], {
      dns: { command: [script, names.url], propagation: '1ms' },
    })
    assert.ok(await isServed(setup, ['any.shop.test', 'other.test']))
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    assert.equal(lines.length, 4)
    const [, record, value] =
      /present (_acme-challenge\.shop\.test) (\S+) \/ present/.exec(lines.find((line) => line.includes('.shop.test')) ?? '') ?? []
    assert.ok(
      lines.some((line) => line.endsWith(`cleanup ${record} ${value} / cleanup ${record} ${value}`)),
      lines.join('\n'),
    )
  },
)

test('what the command of dns-01 says when it fails is in the log, and so is that it took too long', authority, async (t) => {
  const setup = await acmeSetup(t)
  const fails = ['/bin/sh', '-c', 'echo no such zone >&2; exit 3']
  await setup.configure([{ acme: 'shop.test', challenge: 'dns-01' }], { dns: { command: fails } })
  await setup.running.printed(/no certificate: \/bin\/sh present: it ended with 3: no such zone; it is tried again in \d+ s/)
  await setup.configure([{ acme: 'shop.test', challenge: 'dns-01' }], {
    dns: { command: ['/bin/sh', '-c', 'sleep 1000'], timeout: '20ms' },
  })
  await setup.running.printed(/\/bin\/sh present: it took longer than 20 ms/)
})

test('nonces that are refused are replaced', authority, async (t) => {
  const setup = await acmeSetup(t, { rejectedNonces: 50 })
  await setup.configure([{ acme: 'shop.test', challenge: 'http-01' }])
  assert.ok(await isServed(setup, ['shop.test']))
})

test('what an authority says against a name is in the log, and the listener goes on with what it has', authority, async (t) => {
  const setup = await acmeSetup(t, { httpPort: 1, blockedNames: ['blocked.test'] })
  await setup.configure([{ acme: 'shop.test', challenge: 'http-01' }, { acme: 'blocked.test' }])
  await setup.running.printed(/acme shop\.test \(ec256\): no certificate: shop\.test: \w+: .*connection refused.*; it is tried again in/)
  await setup.running.printed(/acme blocked\.test \(ec256\): no certificate: rejectedIdentifier: /)
  const { socket } = await shown(setup.secure, 'blocked.test', '')
  assert.equal(socket.authorizationError, 'DEPTH_ZERO_SELF_SIGNED_CERT')
})

test('an authority that is down at the start is asked again until it is there', authority, async (t) => {
  const gate = await forwarder(t)
  const setup = await acmeSetup(t)
  const directory = `https://localhost:${gate.port}/dir`
  await setup.configure([{ acme: 'shop.test', challenge: 'http-01' }], { directory })
  await setup.running.printed(/no certificate: https:\/\/localhost:\d+\/dir: .*; it is tried again in \d+ s/)
  gate.target = Number(new URL(setup.authority.directory).port)
  assert.ok(await isServed(setup, ['shop.test']))
})

test('an account that the authority has given out is bound', authority, async (t) => {
  const key = Buffer.from('a secret of 32 bytes, as it seems').toString('base64url')
  const setup = await acmeSetup(t, { externalAccounts: { 'kid-1': key } })
  await setup.configure([{ acme: 'shop.test' }])
  await setup.running.printed(/the authority wants acme\.externalAccount/)
  await setup.configure([{ acme: 'shop.test' }], { externalAccount: { id: 'kid-1', key } })
  assert.ok(await isServed(setup, ['shop.test']))
})

test('only the very token is answered while an authority looks for it; everything else is for the routes', authority, async (t) => {
  const answers: string[] = []
  const between = await origin(t, 'between', async ({ url = '' }, response) => {
    const ask = async (uri: string, options: RequestOptions = {}): Promise<string> => {
      const { status, body } = await request(t, { port: setup.clear }, uri, options)
      return `${status} ${body}`
    }
    const answer = await ask(url)
    answers.push(
      answer,
      await ask(url, { method: 'HEAD' }),
      await ask(`${url}?x`),
      await ask(`${url}x`),
      await ask(url, { method: 'POST' }),
    )
    response.end(answer.slice('200 '.length))
  })
  const setup = await acmeSetup(t, { httpPort: between.port })
  await setup.configure([{ acme: 'shop.test', challenge: 'http-01' }])
  assert.ok(await isServed(setup, ['shop.test']))
  assert.match(answers[0], /^200 [\w-]+\.[\w-]{43}$/)
  assert.deepEqual(answers.slice(1, 5), ['200 ', '404 a route', '404 a route', '404 a route'])
  const [{ uri }] = between.requests
  assert.equal((await request(t, { port: setup.clear }, uri)).status, 404, 'it is forgotten afterwards')
})

/** Passes connections on to a port, or drops them while there is none. */
async function forwarder(t: Cleanup): Promise<{ readonly port: number; target: number }> {
  return relay(t, () => '')
}

/** The same with a header of the PROXY protocol. */
async function introducer(t: Cleanup): Promise<{ readonly port: number; target: number }> {
  return relay(t, () => 'PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n')
}

async function relay(t: Cleanup, header: () => string): Promise<{ readonly port: number; target: number }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    if (gate.target === 0) {
      socket.destroy()
      return
    }
    const onward = connectPlain(gate.target, '127.0.0.1')
    sockets.add(onward)
    onward.on('error', () => socket.destroy())
    onward.write(header())
    socket.pipe(onward).pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const gate = { port: (server.address() as { port: number }).port, target: 0 }
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return gate
}
