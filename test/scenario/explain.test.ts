import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeSelfSigned } from '../../src/control/self-signed.ts'
import { temporaryFolder } from '../support/cleanup.ts'
import { command } from '../support/command.ts'

test('evener explain names the route, the pool and where they stand in the configuration', async (t) => {
  const folder = temporaryFolder(t)
  const file = join(folder, 'edge.yaml')
  writeFileSync(join(folder, 'pools.yaml'), 'pools:\n  app:\n    servers: ["10.0.0.1:80"]\n')
  writeFileSync(
    file,
    `include: pools.yaml
listeners:
  web:
    bind: "127.0.0.1:8080"
    http:
      routes:
        - match: { path: "/ping" }
          respond: { status: 200, body: pong }
        - pool: app
`,
  )
  const { code, stdout, stderr } = await command(t, ['explain', '/shop', '-c', file])
  assert.equal(code, 0, stderr)
  const words = stdout.replaceAll(`${folder}/`, '')
  assert.match(words, /^listener web \(edge\.yaml:3\)$/m)
  assert.match(words, /^ {2}✖ listeners\.web\.http\.routes\[0\] \(edge\.yaml:7\)$/m)
  assert.match(words, /^ {2}✔ listeners\.web\.http\.routes\[1\] \(edge\.yaml:9\)$/m)
  assert.match(words, /^ {2}pool app \(pools\.yaml:2\): round-robin over 10\.0\.0\.1:80 /m)
})

test('evener explain tells the pools of a split, and what keeps a client with its server', async (t) => {
  const examples = join(import.meta.dirname, '../../examples')
  const split = await command(t, ['explain', '/', '-c', join(examples, 'canary/evener.yaml')])
  assert.match(split.stdout, /^ {2}action: split: pool app 19 of 20, pool canary 1 of 20$/m)
  assert.match(split.stdout, /^ {2}pool canary \(.*\): round-robin over 127\.0\.0\.1:3003 /m)
  const sessions = await command(t, ['explain', '/', '-c', join(examples, 'sessions/evener.yaml')])
  assert.match(sessions.stdout, /, cookie SHOPSRV first$/m)
})

test('evener explain is told what TLS says, and of the balancer that a connection came through', async (t) => {
  const file = join(temporaryFolder(t), 'edge.yaml')
  const tls = '{ selfSigned: [shop.test], clientCertificates: { ca: authority.pem } }'
  const [cert] = [makeSelfSigned(['authority.test']).cert]
  writeFileSync(join(file, '../authority.pem'), cert)
  writeFileSync(
    file,
    `listeners:
  web:
    bind: "127.0.0.1:8443"
    acceptProxyProtocol: { from: 10.0.0.0/8 }
    tls: ${tls}
    http:
      routes:
        - match: { tls: { version: TLSv1.2 } }
          respond: { status: 426 }
        - match: { tls: { ja4: t13d1516h2_8daaf6152771_e5627efa2ab1, peerSubject: "CN=alice,O=Test" } }
          respond: { status: 429 }
        - match: { tls: { serverName: shop.test }, client: 192.0.2.0/24 }
          pool: app
  db:
    bind: "127.0.0.1:5432"
    tls: ${tls.replace(', clientCertificates: { ca: authority.pem }', '')}
    tcp: { routes: [{ match: { sni: db.test, alpn: postgresql }, pool: app }] }
  plain: { bind: "127.0.0.1:8080", http: { routes: [{ match: { tls: { serverName: { present: true } } }, pool: app }, { respond: {} }] } }
pools: { app: { servers: ["10.0.0.1:80"] } }
`,
  )
  const explain = async (...words: string[]) => (await command(t, ['explain', '-c', file, ...words])).stdout
  const front = ['--from', '10.1.2.3', '--client', '192.0.2.7']
  const shop = await explain('https://shop.test/', ...front, '--subject', 'CN=bob')
  assert.match(shop, /✖ tls: wants version = TLSv1\.2, has TLSv1\.3/)
  assert.match(shop, /✔ listeners\.web\.http\.routes\[2\]/)
  assert.match(shop, /action: pool app/)
  assert.match(await explain('/', ...front, '--tls-version', 'TLSv1.2'), /action: respond 426/)
  assert.match(await explain('/', ...front), /note: the listener demands a certificate/)
  const alice = ['--ja4', 't13d1516h2_8daaf6152771_e5627efa2ab1', '--subject', 'CN=alice,O=Test']
  assert.match(await explain('/', ...front, ...alice), /action: respond 429/)
  assert.match(await explain('/', '--sni', 'other.test', '--host', 'shop.test', ...front), /no route matches/)
  assert.match(
    await explain('/', '--client', '10.1.2.3'),
    /reset: 10\.1\.2\.3 is in acceptProxyProtocol\.from and has to begin with a header/,
  )
  assert.match(await explain('/', '--client', '192.0.2.7'), /reset: 192\.0\.2\.7 is not in acceptProxyProtocol\.from/)
  assert.match(await explain('db.test', '--listener', 'db', '--alpn', 'postgresql'), /action: pool app/)
  assert.match(await explain('-', '--sni', 'db.test', '--listener', 'db', '--alpn', 'postgresql'), /action: pool app/)
  const plain = await explain('/', '--listener', 'plain', '--sni', 'shop.test')
  assert.match(plain, /note: the listener has no tls/)
  assert.match(plain, /action: respond 200/)
  assert.match(await explain('/', '--listener', 'plain', '--from', '10.1.2.3'), /note: the listener has no acceptProxyProtocol/)
})
