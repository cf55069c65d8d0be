/** What people put behind a balancer of connections, with their own clients in front of it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { selfSigned } from '../support/certificate.ts'
import { mariadb, postgresql } from '../support/databases.ts'
import { type Evener, evener } from '../support/evener.ts'
import { needs, program } from '../support/needs.ts'
import { refusedPort } from '../support/origin.ts'
import { dnsmasq, dovecot, exim, knot, redis } from '../support/services.ts'

/** Runs a program to its end with these lines as its input; what it printed, or what went wrong. */
function run(name: string, words: readonly string[], input = '', env: Record<string, string> = {}): Promise<string> {
  const child = spawn(program(name), words, { stdio: 'pipe', env: { ...process.env, ...env } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return new Promise((resolve) => child.once('close', () => resolve(output.trim())))
}

interface Service {
  readonly servers: readonly number[]
  readonly pool?: object
  readonly tcp?: object
}

/** A listener of its own address for each service. */
async function services(
  t: TestContext,
  all: Readonly<Record<string, Service>>,
): Promise<{ balancer: Evener; at(name: string): Promise<[string, number]> }> {
  const names = Object.keys(all)
  const host = (name: string) => `127.0.0.${2 + names.indexOf(name)}`
  const balancer = await evener(t, {
    listeners: Object.fromEntries(names.map((name) => [name, { bind: `${host(name)}:0`, tcp: { pool: name, ...all[name].tcp } }])),
    pools: Object.fromEntries(
      names.map((name) => [
        name,
        { servers: all[name].servers.map((port, index) => ({ name: `s${index}`, address: `127.0.0.1:${port}` })), ...all[name].pool },
      ]),
    ),
  })
  return { balancer, at: async (name) => [host(name), await balancer.port(name)] }
}

const SLOW = { timeout: 120_000 }

test('MariaDB: reads are shared out over replicas, writes go to the primary, and a replica that dies is passed over', {
  ...SLOW,
  ...needs('mariadbd', 'mariadb', 'openssl'),
}, async (t) => {
  const certificate = selfSigned(t, 'db.test')
  const server = (role: string) =>
    mariadb(t, certificate, [
      "CREATE USER app@'%' IDENTIFIED BY 'secret'",
      'CREATE DATABASE shop',
      `CREATE TABLE shop.role AS SELECT '${role}' AS name`,
      "GRANT ALL ON shop.* TO app@'%'",
    ])
  const [primary, one, two] = await Promise.all([server('primary'), server('one'), server('two')])
  const check = { check: { mysql: { user: 'app', password: 'secret', database: 'shop' }, interval: '200ms', rise: 1, fall: 1 } }
  const { balancer, at } = await services(t, {
    write: { servers: [primary.ports[0]], pool: check },
    read: { servers: [one.ports[0], two.ports[0]], pool: { ...check, algorithm: 'least-connections' } },
  })
  const ask = async (name: string, statement: string) => {
    const [host, port] = await at(name)
    const words = ['--no-defaults', '-h', host, '-P', String(port), '-u', 'app', '-psecret', '-N', '-B', '--ssl', 'shop', '-e', statement]
    return run('mariadb', words)
  }
  assert.equal(await ask('write', "INSERT INTO role VALUES ('written'); SELECT COUNT(*) FROM role"), '2')
  const roles = new Set<string>()
  for (let i = 0; i < 4; i++) roles.add(await ask('read', 'SELECT name FROM role'))
  assert.deepEqual([...roles].sort(), ['one', 'two'])
  assert.match(await ask('write', "SHOW STATUS LIKE 'Ssl_cipher'"), /TLS|AES/)
  await one.stop('SIGKILL')
  for (let i = 0; i < 3; i++) assert.equal(await ask('read', 'SELECT name FROM role'), 'two')
  await balancer.printed(/read\/s0 is down/)
})

/** A port that leads to another one, for clients that cannot choose which address they come from. */
async function from(t: TestContext, localAddress: string, host: string, port: number): Promise<number> {
  const relay = createServer((client) => {
    const onward = connect({ host, port, localAddress })
    for (const socket of [client, onward]) socket.on('error', () => {})
    client.pipe(onward).pipe(client)
  }).listen(0, '127.0.0.1')
  t.after(() => relay.close())
  await once(relay, 'listening')
  return (relay.address() as AddressInfo).port
}

test('MariaDB learns from the PROXY protocol who its clients are, in both versions, and checks introduce themselves', {
  ...SLOW,
  ...needs('mariadbd', 'mariadb', 'openssl'),
}, async (t) => {
  const certificate = selfSigned(t, 'db.test')
  const accounts = ["CREATE USER app@'127.0.0.9' IDENTIFIED BY 'secret'", "CREATE USER probe@'%' IDENTIFIED BY 'secret'"]
  const server = await mariadb(t, certificate, accounts, ['--proxy-protocol-networks=127.0.0.0/8', '--skip-name-resolve'])
  const check = { mysql: { user: 'probe', password: 'secret', role: 'primary' } }
  const { balancer, at } = await services(t, {
    v1: { servers: server.ports, pool: { check, proxyProtocol: 'v1' } },
    v2: { servers: server.ports, pool: { check, proxyProtocol: 'v2' } },
  })
  for (const name of ['v1', 'v2']) {
    const [host, port] = await at(name)
    const relay = await from(t, '127.0.0.9', host, port)
    const words = ['--no-defaults', '-h', '127.0.0.1', '-P', String(relay), '-u', 'app', '-psecret', '-N', '-B']
    assert.equal(await run('mariadb', [...words, '-e', 'SELECT USER()']), 'app@127.0.0.9')
  }
  for (const { servers } of (await balancer.status()).pools) assert.equal(servers[0].health, 'up', servers[0].check?.reason)
})

test('PostgreSQL: psql with and without TLS, over a server that refuses', {
  ...SLOW,
  ...needs('pg_ctlcluster', 'psql', 'openssl'),
}, async (t) => {
  const certificate = selfSigned(t, 'db.test')
  const server = await postgresql(t, certificate, ['host all all 127.0.0.0/8 scram-sha-256'], ["CREATE USER app PASSWORD 'secret'"])
  const { at } = await services(t, { db: { servers: [await refusedPort(), server.ports[0]] } })
  const [host, port] = await at('db')
  const ask = (ssl: string, statement: string) =>
    run('psql', ['-At', '-c', statement, `host=${host} port=${port} user=app dbname=postgres sslmode=${ssl}`], '', { PGPASSWORD: 'secret' })
  assert.equal(await ask('disable', 'SELECT 6 * 7'), '42')
  assert.equal(await ask('require', 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'), 't')
  assert.equal((await ask('require', "SELECT repeat('x', 3000000)")).length, 3_000_000)
})

test('Redis: redis-cli with pipelines, large values and its role in the check', needs('redis-server', 'redis-cli'), async (t) => {
  const first = await redis(t)
  const replica = await redis(t, '--replicaof', '127.0.0.1', String(first.ports[0]))
  const servers = [first.ports[0], replica.ports[0]]
  const check = { redis: { role: 'primary' }, interval: '200ms', rise: 1, fall: 1 }
  const { at } = await services(t, { redis: { servers, pool: { check } } })
  const [host, port] = await at('redis')
  const ask = (input: string) => run('redis-cli', ['-h', host, '-p', String(port)], input)
  const large = 'y'.repeat(500_000)
  // Every connection comes to the one that takes writes.
  for (let i = 0; i < 4; i++) assert.equal(await ask(`SET key${i} value\nGET key${i}\n`), 'OK\nvalue')
  assert.equal(await ask(`SET large ${large}\nSTRLEN large\n`), 'OK\n500000')
  assert.equal(await ask('GET large\n'), large)
})

test('mail: STARTTLS of SMTP, IMAP and POP3 passes through to the servers and their certificates', {
  ...SLOW,
  ...needs('exim4', 'dovecot', 'openssl'),
}, async (t) => {
  const certificate = selfSigned(t, 'mail.test')
  const [smtp, mailbox] = await Promise.all([exim(t, certificate), dovecot(t, certificate)])
  const paced = { interval: '1s', rise: 1 }
  const { balancer, at } = await services(t, {
    smtp: { servers: [smtp.ports[0]], pool: { check: { smtp: { tls: 'upgrade' }, ...paced } } },
    imap: { servers: [mailbox.ports[0]], pool: { check: { imap: {}, ...paced } } },
    pop3: { servers: [mailbox.ports[2]], pool: { check: { pop3: {}, ...paced } } },
  })
  for (const [name, last, bye] of [
    ['smtp', 'QUIT\n', /221 mail\.test closing connection/],
    ['imap', 'a LOGOUT\n', /BYE Logging out/],
    ['pop3', 'quit\n', /\+OK Logging out/],
  ] as const) {
    const [host, port] = await at(name)
    const output = await run('openssl', ['s_client', '-starttls', name, '-crlf', '-ign_eof', '-connect', `${host}:${port}`], last)
    assert.match(output, /subject=CN ?= ?mail\.test/, name)
    assert.match(output, bye)
  }
  for (const { servers } of (await balancer.status()).pools) assert.equal(servers[0].health, 'up')
})

test('DNS: dig over UDP and TCP, with Knot and dnsmasq behind', needs('knotd', 'dnsmasq', 'dig'), async (t) => {
  const [knots, masq] = [await knot(t), await dnsmasq(t)]
  const balancer = await evener(t, {
    listeners: {
      names: { bind: ['127.0.0.2:0', '[::1]:0'], udp: { pool: 'knot', datagrams: 1, responses: 1 } },
      masq: { bind: '127.0.0.3:0', udp: { pool: 'masq' } },
      over: { bind: '127.0.0.4:0', tcp: { pool: 'knot' } },
    },
    pools: {
      knot: { servers: [`127.0.0.1:${knots.ports[0]}`], check: { dns: { name: 'www.example.test' }, interval: '1s', rise: 1 } },
      masq: { servers: [`127.0.0.1:${masq.ports[0]}`] },
    },
  })
  const dig = (host: string, port: number, ...words: string[]) =>
    run('dig', ['+short', '+tries=2', '+time=5', `@${host}`, '-p', String(port), ...words])
  const addresses = (await balancer.status()).listeners.find(({ name }) => name === 'names')?.addresses ?? []
  const sixPort = Number(addresses[1].slice(addresses[1].lastIndexOf(':') + 1))
  for (const [host, port] of [
    ['127.0.0.2', await balancer.port('names')],
    ['::1', sixPort],
  ] as const) {
    assert.deepEqual((await dig(host, port, 'www.example.test')).split('\n').sort(), ['192.0.2.6', '192.0.2.7'])
    assert.equal(await dig(host, port, 'www.example.test', 'AAAA'), '2001:db8::7')
  }
  assert.equal(await dig('127.0.0.3', await balancer.port('masq'), 'www.test'), '192.0.2.8')
  assert.equal(await dig('127.0.0.4', await balancer.port('over'), '+tcp', 'www.example.test', 'AAAA'), '2001:db8::7')
})
