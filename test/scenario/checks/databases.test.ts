import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selfSigned } from '../../support/certificate.ts'
import { runCheck } from '../../support/check-run.ts'
import { mariadb, postgresql } from '../../support/databases.ts'
import { needs } from '../../support/needs.ts'

test('mysql checks of MariaDB', needs('mariadbd', 'openssl'), async (t) => {
  const certificate = selfSigned(t, 'db.test')
  const { ports, output } = await mariadb(t, certificate, [
    "CREATE USER probe@'%' IDENTIFIED BY 'secret'",
    "CREATE USER open@'%' IDENTIFIED BY ''",
    'SET GLOBAL max_connect_errors = 1',
    'CREATE DATABASE shop',
    "GRANT SELECT ON shop.* TO probe@'%'",
  ])
  const address = `127.0.0.1:${ports[0]}`
  const probe = { user: 'probe', password: 'secret' }

  await t.test('that it answers is enough without a user, and does not lock the balancer out', async () => {
    for (let i = 0; i < 5; i++) assert.equal(await runCheck(address, { mysql: {} }), 'ok: connections are accepted')
    assert.equal(await runCheck(address, { mysql: { tls: 'upgrade' } }), 'ok: connections are accepted')
  })

  await t.test('a user has to get in', async () => {
    assert.equal(await runCheck(address, { mysql: probe }), 'ok: logged in')
    assert.equal(await runCheck(address, { mysql: { user: 'open', password: '' } }), 'ok: logged in')
    assert.equal(await runCheck(address, { mysql: { ...probe, database: 'shop', tls: 'upgrade' } }), 'ok: logged in')
    const trust = { tls: 'upgrade', serverName: 'db.test', verify: true }
    assert.equal(await runCheck(address, { mysql: { ...probe, ...trust, ca: certificate.certFile } }), 'ok: logged in')
    assert.equal(await runCheck(address, { mysql: { ...probe, ...trust } }), 'failed: self-signed certificate')
    assert.match(
      await runCheck(address, { mysql: { ...probe, password: 'x' } }),
      /^failed: the server says "1045 Access denied for user 'probe'/,
    )
    assert.match(await runCheck(address, { mysql: { ...probe, database: 'x' } }), /^failed: the server says "1044 Access denied .*/)
  })

  await t.test('a query decides, where one is asked', async () => {
    const ask = (query: string, expect?: string) => runCheck(address, { mysql: { ...probe, query, expect } })
    assert.equal(await ask('SELECT 1'), 'ok: the query is answered')
    assert.equal(await ask('SELECT @@read_only, 2', '~ ^0$'), 'ok: the query gave "0"')
    assert.equal(await ask('SELECT @@read_only', '~ ^1$'), 'failed: the query gave "0", expected /^1$/')
    assert.equal(await ask('SELECT NULL', 'x'), 'failed: the query gave "NULL", expected "x"')
    assert.equal(await ask('SELECT 1 FROM dual WHERE 1 = 0', 'x'), 'failed: the query gave no row, expected "x"')
    assert.equal(await ask('SET @a = 1'), 'ok: the query is answered')
    assert.equal(await ask("SHOW STATUS LIKE 'Threads_running'", 'Threads_running'), 'ok: the query gave "Threads_running"')
    assert.match(await ask('SELECT * FROM shop.none'), /^failed: the server says "1146 Table 'shop\.none' doesn't exist"$/)
    assert.equal(await ask("SELECT REPEAT('x', 1000)", '~ ^x{1000}$'), `ok: the query gave "${'x'.repeat(100)}…"`)
  })

  await t.test('nothing of it is a communication error for the server', () => {
    assert.doesNotMatch(output(), /reading (initial )?communication packets/)
  })
})

test('postgresql checks of PostgreSQL', needs('pg_ctlcluster', 'openssl'), async (t) => {
  const certificate = selfSigned(t, 'db.test')
  const access = [
    'host all trusted 127.0.0.1/32 trust',
    'host all clear 127.0.0.1/32 password',
    'host all digest 127.0.0.1/32 md5',
    'host all scram 127.0.0.1/32 scram-sha-256',
    'hostssl all safe 127.0.0.1/32 scram-sha-256',
  ]
  const roles = [
    'CREATE ROLE trusted LOGIN',
    "CREATE ROLE clear LOGIN PASSWORD 'secret'",
    "CREATE ROLE scram LOGIN PASSWORD 'secret'",
    "CREATE ROLE safe LOGIN PASSWORD 'sécret'",
    "SET password_encryption = 'md5'",
    "CREATE ROLE digest LOGIN PASSWORD 'secret'",
  ]
  const { ports, output } = await postgresql(t, certificate, access, roles)
  const address = `127.0.0.1:${ports[0]}`
  const login = (user: string, more: object = {}) =>
    runCheck(address, { postgresql: { user, password: 'secret', database: 'postgres', ...more } })

  await t.test('that it answers is enough without a password, whoever is asked for', async () => {
    assert.equal(await runCheck(address, { postgresql: {} }), 'ok: connections are accepted')
    assert.equal(await runCheck(address, { postgresql: { user: 'scram' } }), 'ok: connections are accepted')
    assert.equal(await runCheck(address, { postgresql: { user: 'trusted', database: 'none' } }), 'ok: connections are accepted')
    assert.equal(await runCheck(address, { postgresql: { tls: 'upgrade' } }), 'ok: connections are accepted')
  })

  await t.test('a user has to get in, by every method', async () => {
    for (const user of ['trusted', 'clear', 'digest', 'scram']) assert.equal(await login(user), 'ok: logged in', user)
    assert.equal(
      await login('safe', { password: 'sécret', tls: 'upgrade', serverName: 'db.test', verify: true, ca: certificate.certFile }),
      'ok: logged in',
    )
    assert.match(await login('safe', { password: 'sécret' }), /^failed: the server says "28000 no pg_hba\.conf entry/)
    for (const user of ['clear', 'digest', 'scram']) {
      assert.match(await login(user, { password: 'x' }), /^failed: the server says "28P01 password authentication failed/, user)
    }
    assert.match(await login('scram', { database: 'none' }), /^failed: the server says "3D000 database \\"none\\" does not exist"$/)
  })

  await t.test('a query decides, where one is asked', async () => {
    const ask = (query: string, expect?: string) => login('scram', { query, expect })
    assert.equal(await ask('SELECT NOT pg_is_in_recovery()', '~ ^t$'), 'ok: the query gave "t"')
    assert.equal(await ask('SELECT pg_is_in_recovery()', '~ ^t$'), 'failed: the query gave "f", expected /^t$/')
    assert.equal(await ask('SELECT 1 WHERE false', '1'), 'failed: the query gave no row, expected "1"')
    assert.equal(await ask('SELECT NULL', '1'), 'failed: the query gave "NULL", expected "1"')
    assert.equal(await ask('SELECT 1; SELECT 2', '1'), 'ok: the query gave "1"')
    assert.match(await ask('SELECT x'), /^failed: the server says "42703 column \\"x\\" does not exist"$/)
  })

  await t.test('nothing of it is a lost connection for the server', () => {
    assert.doesNotMatch(output(), /could not receive data|unexpected EOF/)
  })
})
