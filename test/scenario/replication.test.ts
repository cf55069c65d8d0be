/** Databases that really replicate: writes follow the primary wherever it moves, reads go to replicas that are not behind. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Writable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { selfSigned } from '../support/certificate.ts'
import { followMariadb, mariadb, postgresql, postgresqlStandby, promotePostgresql } from '../support/databases.ts'
import { type Evener, evener } from '../support/evener.ts'
import { needs, program } from '../support/needs.ts'
import { type Peer, startAgain } from '../support/peers.ts'

const SLOW = { timeout: 120_000 }

/** A client of a database that stays connected, and is asked line by line. */
class Session {
  readonly #lines: AsyncIterator<string>
  readonly #input: Writable
  readonly #ended: Promise<string>

  constructor(t: TestContext, name: string, words: readonly string[], env: Record<string, string> = {}) {
    const child = spawn(program(name), words, { stdio: 'pipe', env: { ...process.env, ...env } })
    t.after(() => child.kill('SIGKILL'))
    child.stdin.on('error', () => {})
    let errors = ''
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk))
    this.#ended = new Promise((resolve) => child.once('close', () => resolve(errors)))
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    this.#input = child.stdin
  }

  /** The first line of the answer. */
  async ask(statement: string): Promise<string> {
    this.#input.write(`${statement};\n`)
    return String((await this.#lines.next()).value)
  }

  /** Asks a last time; what the client complains about. */
  last(statement: string): Promise<string> {
    this.#input.end(`${statement};\n`)
    return this.#ended
  }
}

/** A program with a statement, to its end: what it printed. */
function run(name: string, words: readonly string[]): Promise<string> {
  const child = spawn(program(name), words, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
  return new Promise((resolve) => child.once('close', () => resolve(output.trim())))
}

interface Databases {
  readonly balancer: Evener
  readonly write: number
  readonly read: number
}

/** Two listeners over the same servers, of which one finds the primary and the other one the replicas. */
async function balanced(t: TestContext, servers: Readonly<Record<string, Peer>>, check: (more: object) => object): Promise<Databases> {
  const pace = { interval: '200ms', rise: 1, fall: 1 }
  const list = Object.entries(servers).map(([name, { ports }]) => ({ name, address: `127.0.0.1:${ports[0]}` }))
  const balancer = await evener(t, {
    listeners: {
      write: { bind: '127.0.0.1:0', tcp: { pool: 'primary', onServerDown: 'reset' } },
      read: { bind: '127.0.0.1:0', tcp: { pool: 'replicas', onServerDown: 'reset' } },
    },
    pools: {
      primary: {
        servers: list,
        check: { ...check({ role: 'primary' }), ...pace },
        persistence: { table: { key: 'destination', expires: '1d' } },
      },
      replicas: { algorithm: 'least-connections', servers: list, check: { ...check({ role: 'replica', maxLag: '2s' }), ...pace } },
    },
  })
  return { balancer, write: await balancer.port('write'), read: await balancer.port('read') }
}

/** Asks until the answer is the one that is meant: what replication takes its time for. */
async function until(ask: () => Promise<string>, wanted: string): Promise<void> {
  while ((await ask()) !== wanted);
}

/** Until nobody is connected any more to a server. */
async function abandoned(balancer: Evener, pool: string, server: string): Promise<void> {
  for (;;) {
    const { servers = [] } = (await balancer.status()).pools.find(({ name }) => name === pool) ?? {}
    if (servers.find(({ name }) => name === server)?.active === 0) return
  }
}

async function members(balancer: Evener, pool: string): Promise<string> {
  const servers = (await balancer.status()).pools.find(({ name }) => name === pool)?.servers ?? []
  return servers
    .filter(({ health }) => health === 'up')
    .map(({ name }) => name)
    .join(' ')
}

test('MariaDB: a failover, a replica that lags and one whose replication broke, without a change of configuration', {
  ...SLOW,
  ...needs('mariadbd', 'mariadb', 'openssl'),
}, async (t) => {
  const certificate = selfSigned(t, 'db.test')
  // The same on each of them, and not replicated: a server that is started again does it again.
  const accounts = [
    'SET sql_log_bin = 0',
    "CREATE USER IF NOT EXISTS app@'%' IDENTIFIED BY 'secret'",
    "CREATE USER IF NOT EXISTS probe@'%' IDENTIFIED BY 'secret'",
    "CREATE USER IF NOT EXISTS follower@'%' IDENTIFIED BY 'secret'",
    "CREATE USER IF NOT EXISTS admin@'%' IDENTIFIED BY 'secret'",
    "GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION",
    "GRANT REPLICA MONITOR ON *.* TO probe@'%'",
    "GRANT REPLICATION SLAVE ON *.* TO follower@'%'",
    "GRANT ALL ON shop.* TO app@'%'",
    'CREATE DATABASE IF NOT EXISTS shop',
    'CREATE TABLE IF NOT EXISTS shop.orders (id INT PRIMARY KEY)',
  ]
  const server = (id: number, statements: readonly string[], ...settings: string[]) =>
    mariadb(t, certificate, statements, [`--server-id=${id}`, '--log-bin=log', '--log-slave-updates', ...settings])
  const a = await server(1, accounts)
  const [b, c] = await Promise.all([2, 3].map((id) => server(id, [...accounts, ...followMariadb(a.ports[0])], '--read-only=1')))
  const client = (port: number, user: string) => [
    '--no-defaults',
    '-h',
    '127.0.0.1',
    '-P',
    String(port),
    '-u',
    user,
    '-psecret',
    '-N',
    '-B',
  ]
  const ask = (port: number, statement: string) => run('mariadb', [...client(port, 'app'), '-e', statement])
  const admin = (peer: Peer, ...statements: string[]) => run('mariadb', [...client(peer.ports[0], 'admin'), '-e', statements.join(';')])
  for (const replica of [b, c]) await until(() => ask(replica.ports[0], 'SELECT COUNT(*) FROM shop.orders'), '0')

  const check = (more: object) => ({ mysql: { user: 'probe', password: 'secret', ...more } })
  const { balancer, write, read } = await balanced(t, { a, b, c }, check)
  assert.deepEqual([await members(balancer, 'primary'), await members(balancer, 'replicas')], ['a', 'b c'])
  assert.equal(await ask(write, 'INSERT INTO shop.orders VALUES (1); SELECT @@server_id'), '1')
  const readers = new Set<string>()
  while (readers.size < 2) readers.add(await ask(read, 'SELECT @@server_id'))
  assert.deepEqual([...readers].sort(), ['2', '3'])
  await until(() => ask(read, 'SELECT COUNT(*) FROM shop.orders'), '1')
  assert.match(await ask(read, 'INSERT INTO shop.orders VALUES (9)'), /read-only/)

  await t.test('a replica whose replication broke leaves, and comes back with it', async () => {
    await admin(c, 'STOP REPLICA SQL_THREAD')
    await balancer.printed(/replicas\/c is down: mysql check: replication has not been running for [\d.]+ s, at most 2 s are allowed/)
    assert.equal(await ask(read, 'SELECT @@server_id'), '2')
    await admin(c, 'START REPLICA')
    await until(() => members(balancer, 'replicas'), 'b c')
  })

  await t.test('a replica that is too far behind leaves, and its open connections are ended', async () => {
    const sessions = [0, 1].map(() => new Session(t, 'mariadb', [...client(read, 'app'), '--unbuffered', '--skip-reconnect']))
    const ids: string[] = []
    for (const session of sessions) ids.push(await session.ask('SELECT @@server_id'))
    assert.deepEqual([...ids].sort(), ['2', '3'])
    const behind = sessions[ids.indexOf('3')]
    await admin(c, ...followMariadb(a.ports[0], ', MASTER_DELAY=3600'))
    await ask(write, 'INSERT INTO shop.orders VALUES (2)')
    await balancer.printed(/replicas\/c is down: mysql check: the replica is [\d.]+ s behind, at most 2 s are allowed/)
    await abandoned(balancer, 'replicas', 'c')
    assert.match(await behind.last('SELECT 1'), /Lost connection|gone away|unexpected eof/i)
    assert.equal(await sessions[ids.indexOf('2')].ask('SELECT 1'), '1')
    await admin(c, ...followMariadb(a.ports[0], ', MASTER_DELAY=0'))
    await until(() => members(balancer, 'replicas'), 'b c')
  })

  await t.test('the primary dies: writes find the replica that is promoted', async () => {
    const session = new Session(t, 'mariadb', [...client(write, 'app'), '--unbuffered', '--skip-reconnect'])
    assert.equal(await session.ask('SELECT @@server_id'), '1')
    for (const replica of [b, c]) await until(() => ask(replica.ports[0], 'SELECT COUNT(*) FROM shop.orders'), '2')
    await a.stop('SIGKILL')
    assert.match(await session.last('SELECT 1'), /Lost connection|gone away|unexpected eof/i)
    await until(() => members(balancer, 'primary'), '')
    await admin(b, 'STOP REPLICA', 'SET GLOBAL read_only = 0')
    await until(() => members(balancer, 'primary'), 'b')
    assert.equal(await ask(write, 'INSERT INTO shop.orders VALUES (3); SELECT @@server_id'), '2')
    await admin(c, ...followMariadb(b.ports[0]))
    await balancer.printed(/replicas\/b is down: mysql check: the server is a primary, expected a replica/)
    await until(() => ask(read, 'SELECT @@server_id'), '3')
    await until(() => ask(read, 'SELECT COUNT(*) FROM shop.orders'), '3')
  })

  await t.test('the old primary comes back and believes that it still is one: writes stay where they are, until it follows', async () => {
    const again = await startAgain(t, a)
    await until(() => members(balancer, 'primary'), 'a b')
    for (let i = 0; i < 6; i++) assert.equal(await ask(write, 'SELECT @@server_id'), '2')
    await admin(again, 'SET GLOBAL read_only = 1', 'SET GLOBAL gtid_slave_pos = @@gtid_binlog_pos', ...followMariadb(b.ports[0]).slice(1))
    await until(() => members(balancer, 'primary'), 'b')
    await until(() => members(balancer, 'replicas'), 'a c')
    await until(() => ask(again.ports[0], 'SELECT COUNT(*) FROM shop.orders'), '3')
  })
})

test('PostgreSQL: a failover, a standby that lags and one whose replication broke, without a change of configuration', {
  ...SLOW,
  ...needs('pg_ctlcluster', 'psql', 'openssl'),
}, async (t) => {
  const certificate = selfSigned(t, 'db.test')
  const access = [
    'host all app,probe 127.0.0.1/32 scram-sha-256',
    'host all postgres 127.0.0.1/32 trust',
    'host replication follower 127.0.0.1/32 trust',
  ]
  const a = await postgresql(t, certificate, access, [
    "CREATE ROLE app LOGIN PASSWORD 'secret'",
    "CREATE ROLE probe LOGIN PASSWORD 'secret'",
    'CREATE ROLE follower LOGIN REPLICATION',
    'CREATE TABLE orders (id int PRIMARY KEY)',
    'GRANT ALL ON orders TO app',
  ])
  const [b, c] = await Promise.all([postgresqlStandby(t, a.ports[0]), postgresqlStandby(t, a.ports[0])])
  const client = (port: number, user: string) => [
    '-XAtq',
    `host=127.0.0.1 port=${port} user=${user} password=secret dbname=postgres connect_timeout=10`,
  ]
  const ask = (port: number, statement: string) => run('psql', [...client(port, 'app'), '-c', statement])
  const admin = (peer: Peer, ...statements: string[]) =>
    run('psql', [...client(peer.ports[0], 'postgres'), ...statements.flatMap((each) => ['-c', each])])
  const follow = (peer: Peer, port: number) =>
    admin(peer, `ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=${port} user=follower'`, 'SELECT pg_reload_conf()')
  const PORT = "SELECT current_setting('port')"

  const check = (more: object) => ({ postgresql: { user: 'probe', password: 'secret', database: 'postgres', ...more } })
  const { balancer, write, read } = await balanced(t, { a, b, c }, check)
  const [atA, atB, atC] = [a, b, c].map(({ ports }) => String(ports[0]))
  await until(() => members(balancer, 'replicas'), 'b c')
  assert.equal(await members(balancer, 'primary'), 'a')
  assert.equal(await ask(write, `INSERT INTO orders VALUES (1) RETURNING ${PORT.slice(7)}`), atA)
  const readers = new Set<string>()
  while (readers.size < 2) readers.add(await ask(read, PORT))
  assert.deepEqual([...readers].sort(), [atB, atC].sort())
  await until(() => ask(read, 'SELECT count(*) FROM orders'), '1')
  assert.match(await ask(read, 'INSERT INTO orders VALUES (9)'), /read-only transaction/)

  await t.test('a standby that no longer receives leaves, and comes back when it does', async () => {
    await follow(c, 1)
    await balancer.printed(/replicas\/c is down: postgresql check: replication has not been running for [\d.]+ s, at most 2 s are allowed/)
    assert.equal(await ask(read, PORT), atB)
    await follow(c, a.ports[0])
    await until(() => members(balancer, 'replicas'), 'b c')
  })

  await t.test('a standby that is too far behind leaves, and its open connections are ended', async () => {
    const sessions = [0, 1].map(() => new Session(t, 'psql', client(read, 'app')))
    const ports: string[] = []
    for (const session of sessions) ports.push(await session.ask(PORT))
    assert.deepEqual([...ports].sort(), [atB, atC].sort())
    const behind = sessions[ports.indexOf(atC)]
    await admin(c, 'SELECT pg_wal_replay_pause()')
    await ask(write, 'INSERT INTO orders VALUES (2)')
    await balancer.printed(/replicas\/c is down: postgresql check: the replica is [\d.]+ s behind, at most 2 s are allowed/)
    await abandoned(balancer, 'replicas', 'c')
    assert.match(await behind.last('SELECT 1'), /connection to server was lost/i)
    assert.equal(await sessions[ports.indexOf(atB)].ask('SELECT 1'), '1')
    await admin(c, 'SELECT pg_wal_replay_resume()')
    await until(() => members(balancer, 'replicas'), 'b c')
  })

  await t.test('the primary dies: writes find the standby that is promoted', async () => {
    const session = new Session(t, 'psql', client(write, 'app'))
    assert.equal(await session.ask(PORT), atA)
    for (const replica of [b, c]) await until(() => ask(replica.ports[0], 'SELECT count(*) FROM orders'), '2')
    await a.stop('SIGKILL')
    assert.match(await session.last('SELECT 1'), /connection to server was lost/i)
    await until(() => members(balancer, 'primary'), '')
    promotePostgresql(b)
    await until(() => members(balancer, 'primary'), 'b')
    assert.equal(await ask(write, `INSERT INTO orders VALUES (3) RETURNING ${PORT.slice(7)}`), atB)
    await follow(c, b.ports[0])
    await balancer.printed(/replicas\/b is down: postgresql check: the server is a primary, expected a replica/)
    await until(() => ask(read, PORT), atC)
    await until(() => ask(read, 'SELECT count(*) FROM orders'), '3')
  })
})
