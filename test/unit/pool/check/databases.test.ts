import assert from 'node:assert/strict'
import { constants, createHash, generateKeyPairSync, privateDecrypt } from 'node:crypto'
import { test } from 'node:test'
import { MysqlCheck } from '../../../../src/pool/check/mysql/mysql.ts'
import { packet } from '../../../../src/pool/check/mysql/packet.ts'
import { PostgresqlCheck } from '../../../../src/pool/check/postgresql/postgresql.ts'
import { Scram, ScramMemory } from '../../../../src/pool/check/postgresql/scram.ts'
import { ReplicationMemory } from '../../../../src/pool/check/sql/replication.ts'
import type { MysqlProbePlan, PostgresqlProbePlan } from '../../../../src/pool/config.ts'
import { SeededRandom } from '../../../../src/pool/index.ts'
import { CHECK_TLS, converse, text } from '../../../support/check.ts'

const COMMON = {
  user: undefined,
  password: undefined,
  database: undefined,
  role: 'any',
  maxLagMs: undefined,
  query: undefined,
  expect: undefined,
  mode: 'none',
  tls: undefined,
} as const
const TLS = { mode: 'upgrade', tls: CHECK_TLS } as const
const SALT = Buffer.from('01234567890123456789')

const mysql = (more: Partial<MysqlProbePlan> = {}, memory = new ReplicationMemory(), nowMs = 0) =>
  new MysqlCheck({ kind: 'mysql', ...COMMON, ...more }, memory, () => nowMs)
const postgresql = (more: Partial<PostgresqlProbePlan> = {}, memory = new ReplicationMemory(), nowMs = 0) =>
  new PostgresqlCheck({ kind: 'postgresql', ...COMMON, ...more }, new ScramMemory(), memory, () => nowMs)

function greeting(plugin = 'mysql_native_password', capabilities = 0x81ffffff): Buffer {
  const fixed = Buffer.alloc(4 + 9 + 2 + 1 + 2 + 2 + 1 + 10)
  SALT.copy(fixed, 4, 0, 8)
  fixed.writeUInt16LE(capabilities & 0xffff, 13)
  fixed.writeUInt16LE(capabilities >>> 16, 18)
  fixed[20] = 21
  return packet(0, Buffer.concat([Buffer.from('\x0a8.0.36\0'), fixed, SALT.subarray(8), Buffer.from(`\0${plugin}\0`)]))
}

const OK = (sequence: number) => packet(sequence, Buffer.from([0, 0, 0, 2, 0, 0, 0]))
const refusal = (sequence: number, code: number, words: string) =>
  packet(sequence, Buffer.concat([Buffer.from([0xff, code & 255, code >> 8]), Buffer.from(`#28000${words}`)]))

test('mysql: a server that has too many connections, blocks the host or is none', () => {
  const full = packet(0, Buffer.from([0xff, 0x10, 0x04, ...Buffer.from('Too many connections')]))
  assert.equal(converse(mysql(), full).verdict?.reason, 'the server says "1040 Too many connections"')
  assert.equal(converse(mysql(), refusal(0, 1129, "Host '10.0.0.1' is blocked")).verdict?.ok, false)
  assert.match(converse(mysql(), packet(0, Buffer.from('\x09old'))).verdict?.reason ?? '', /^the greeting is not MySQL/)
  assert.match(converse(mysql(), 'SSH-2.0-OpenSSH_9.2p1\r\n').verdict?.reason ?? '', /^a packet of more than 65536 bytes$/)
  assert.equal(converse(mysql(TLS), greeting(undefined, 0x81ffffff & ~0x800)).verdict?.reason, 'TLS is not offered')
})

test('mysql: being refused is an answer where nobody has to get in', () => {
  assert.equal(converse(mysql(), greeting(), refusal(2, 1045, 'Access denied'), null).verdict?.ok, true)
  assert.equal(
    converse(mysql({ user: 'u' }), greeting(), refusal(2, 1045, 'Access denied')).verdict?.reason,
    'the server says "1045 Access denied"',
  )
  assert.equal(converse(mysql(), greeting(), refusal(2, 1130, 'Host is not allowed')).verdict?.ok, false)
  const unknown = packet(2, Buffer.from('\xfeclient_ed25519\0abc', 'latin1'))
  assert.equal(converse(mysql(), greeting(), unknown, null).verdict?.ok, true)
  assert.match(
    converse(mysql({ user: 'u', password: 'p' }), greeting(), unknown).verdict?.reason ?? '',
    /"client_ed25519", which is not supported/,
  )
})

test('mysql: caching_sha2_password, from the cache, over TLS and under the key of the server', () => {
  const sha = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
  const secret = sha(Buffer.from('secret'))
  const proof = Buffer.from(secret.map((byte, i) => byte ^ sha(sha(secret), SALT)[i]))
  const login = { user: 'u', password: 'secret' }
  const [fast, full] = [3, 4].map((what) => packet(2, Uint8Array.of(1, what)))
  const cached = converse(mysql(login), greeting('caching_sha2_password'), fast, OK(3), OK(1), null)
  assert.ok(cached.bytes.includes(proof))
  assert.equal(cached.verdict?.reason, 'logged in')

  const secured = converse(mysql({ ...login, ...TLS }), greeting('caching_sha2_password'), full, OK(5), OK(1), null)
  assert.ok(secured.sent.includes('secret\0'))
  assert.equal(secured.verdict?.reason, 'logged in')

  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = packet(4, Buffer.from(`\x01${publicKey.export({ type: 'spki', format: 'pem' })}`))
  const clear = converse(mysql(login), greeting('caching_sha2_password'), full, key, OK(6), OK(1), null)
  const at = clear.bytes.indexOf(Buffer.from([0, 1, 0, 5])) + 4
  const plain = privateDecrypt(
    { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
    clear.bytes.subarray(at, at + 256),
  )
  assert.equal(Buffer.from(plain.map((byte, i) => byte ^ SALT[i % 20])).toString(), 'secret\0')
  assert.equal(clear.verdict?.reason, 'logged in')
  const bad = packet(4, Buffer.from('\x01no key'))
  assert.equal(converse(mysql(login), greeting('caching_sha2_password'), full, bad).verdict?.reason, "the server's key cannot be read")
})

const lengthEncoded = (text: string | null) => (text === null ? '\xfb' : String.fromCharCode(text.length) + text)
/** Packets of a result: how many columns, their definitions, the rows. */
function result(columns: readonly string[], ...rows: readonly (readonly (string | null)[])[]): Buffer {
  const end = packet(0, Buffer.from('\xfe\0\0\x02\0', 'latin1'))
  const definition = (name: string) =>
    packet(0, Buffer.from(['def', '', '', '', name, '', '\0\0\0\0\0\0\0\0\0\0\0\0'].map(lengthEncoded).join(''), 'latin1'))
  const row = (values: readonly (string | null)[]) => packet(0, Buffer.from(values.map(lengthEncoded).join(''), 'latin1'))
  return Buffer.concat([packet(0, Uint8Array.of(columns.length)), ...columns.map(definition), end, ...rows.map(row), end])
}

test('mysql: the role is who may be written to, then comes the lag, then the query', () => {
  const ask = (more: Partial<MysqlProbePlan>, ...answers: Buffer[]) =>
    converse(mysql({ user: 'u', ...more }), greeting(), OK(2), ...answers, null).verdict?.reason
  const readOnly = (value: string) => result(['@@global.read_only'], [value])
  const lag = (...values: (string | null)[]) => result(['Host', 'Seconds_Behind_Master'], ...values.map((value) => ['x', value]))
  assert.equal(ask({ role: 'primary' }, readOnly('0')), 'the server is a primary')
  assert.equal(ask({ role: 'primary' }, readOnly('OFF')), 'the server is a primary')
  assert.equal(ask({ role: 'primary' }, readOnly('1')), 'the server is a replica, expected a primary')
  assert.equal(ask({ role: 'replica' }, readOnly('NO_LOCK')), 'the server is a replica')
  const close = { role: 'replica', maxLagMs: 10_000 } as const
  assert.equal(ask(close, readOnly('1'), lag('4')), 'the server is a replica, 4 s behind')
  assert.equal(ask(close, readOnly('1'), lag('4', '11')), 'the replica is 11 s behind, at most 10 s are allowed')
  assert.equal(ask(close, readOnly('1'), lag('4', null)), 'replication is not running')
  assert.equal(ask(close, readOnly('1'), lag()), 'replication is not running')
  assert.equal(ask(close, readOnly('0'), lag('4')), 'the server is a primary, expected a replica')
  assert.equal(ask(close, readOnly('1'), result(['Host'], ['x'])), 'the server does not tell how far behind it is')
  assert.equal(ask({ maxLagMs: 1 }, readOnly('0'), lag(null)), 'the server is a primary')
  assert.equal(ask({ ...close, query: 'SELECT 7' }, readOnly('1'), lag('4'), result(['7'], ['7'])), 'the query is answered')
  assert.equal(ask({ role: 'primary', query: 'SELECT 7' }, readOnly('1')), 'the server is a replica, expected a primary')
  assert.match(ask(close, readOnly('1'), refusal(1, 1227, 'Access denied; you need REPLICA MONITOR')) ?? '', /1227 Access denied/)
})

test('a replica whose replication broke is as far behind as the time since it was seen to work', () => {
  const memory = new ReplicationMemory()
  assert.equal(memory.lagMs(null, 1000), Number.POSITIVE_INFINITY)
  assert.equal(memory.lagMs(300, 2000), 300)
  assert.equal(memory.lagMs(null, 5000), 3300)
  assert.equal(memory.lagMs(0, 6000), 0)
  // After a silence the age of the last transaction says more than is missing.
  assert.equal(memory.lagMs(3_600_000, 6500), 500)
})

const message = (type: string, body: Buffer | string = '') => {
  const bytes = Buffer.from(body)
  const head = Buffer.from(`${type}\0\0\0\0`)
  head.writeUInt32BE(bytes.length + 4, 1)
  return Buffer.concat([head, bytes])
}
const authentication = (code: number, rest = '') => message('R', Buffer.concat([Buffer.from([0, 0, 0, code]), Buffer.from(rest)]))
const LOGIN = { user: 'u', password: 'p' }

test('postgresql: a server that takes no connections has failed, one that refuses this user has not', () => {
  const error = (code: string) => message('E', `SFATAL\0C${code}\0Mthe words\0\0`)
  for (const code of ['57P03', '53300', '57P01'])
    assert.equal(converse(postgresql(), error(code)).verdict?.reason, `the server says "${code} the words"`)
  for (const code of ['28000', '28P01', '3D000']) assert.equal(converse(postgresql(), error(code)).verdict?.ok, true)
  assert.equal(converse(postgresql(LOGIN), error('28P01')).verdict?.ok, false)
  assert.equal(converse(postgresql(TLS), 'N').verdict?.reason, 'TLS is not offered')
  assert.equal(converse(postgresql(TLS), 'S', error('28000')).verdict?.ok, true)
  assert.equal(
    converse(postgresql(TLS), Buffer.concat([Buffer.from('S'), error('28000')])).verdict?.reason,
    'bytes in the clear where TLS begins',
  )
  assert.equal(converse(postgresql(), '220 mail.test ESMTP\r\n').verdict?.reason, 'the answer is not PostgreSQL')
})

test('postgresql: role, lag and query', () => {
  const row = (...values: (string | null)[]) => {
    const fields = values.map((value) => {
      const bytes = Buffer.from(value ?? '')
      const head = Buffer.alloc(4)
      head.writeInt32BE(value === null ? -1 : bytes.length)
      return Buffer.concat([head, bytes])
    })
    return Buffer.concat([message('D', Buffer.concat([Buffer.from([0, values.length]), ...fields])), message('Z', 'I')])
  }
  const ask = (more: Partial<PostgresqlProbePlan>, ...answers: Buffer[]) =>
    converse(postgresql({ ...LOGIN, ...more }), authentication(0), message('Z', 'I'), ...answers, null).verdict?.reason
  assert.equal(ask({ role: 'primary' }, row('f')), 'the server is a primary')
  assert.equal(ask({ role: 'primary' }, row('t')), 'the server is a replica, expected a primary')
  const close = { role: 'replica', maxLagMs: 10_000 } as const
  assert.equal(ask(close, row('t', '0.25')), 'the server is a replica, 0.3 s behind')
  assert.equal(ask(close, row('t', '10.1')), 'the replica is 10.1 s behind, at most 10 s are allowed')
  assert.equal(ask(close, row('t', null)), 'replication is not running')
  assert.equal(ask(close, row('f', '0')), 'the server is a primary, expected a replica')
  assert.equal(ask({ ...close, query: 'SELECT 7', expect: text('7') }, row('t', '0'), row('7')), 'the query gave "7"')
  assert.equal(ask({ role: 'replica' }, message('Z', 'I')), 'the server does not tell its role')
})

test('postgresql: a server that does not know the password is not believed', () => {
  const begin = authentication(10, 'SCRAM-SHA-256\0\0')
  const nonceOf = (sent: string) => /r=([^,\0]+)/.exec(sent)?.[1] ?? ''
  const first = (more: string) => {
    const check = postgresql(LOGIN)
    const nonce = nonceOf(converse(check, begin).sent)
    return [check, authentication(11, more.replace('NONCE', nonce))] as const
  }
  const wire = { write: () => {}, secure: () => {}, end: () => {} }
  for (const bad of [
    'r=other,s=c2FsdA==,i=4096',
    'r=NONCE,s=c2FsdA==,i=4096',
    'r=NONCEx,s=c2FsdA==,i=99999999',
    'r=NONCEx,s=c2FsdA==,i=0',
    'e=other-error',
  ]) {
    const [check, answer] = first(bad)
    assert.equal(check.received(answer, wire)?.reason, 'the server asks for a SCRAM that is not well-formed or too long', bad)
  }
  for (const last of [authentication(12, 'v=AAAA'), authentication(0)]) {
    const [check, answer] = first('r=NONCEx,s=c2FsdA==,i=4096')
    assert.equal(check.received(answer, wire), null)
    assert.equal(check.received(last, wire)?.reason, 'the server does not prove that it knows the password')
  }
  assert.equal(
    converse(postgresql(LOGIN), authentication(10, 'SCRAM-SHA-1\0\0')).verdict?.reason,
    'the server does not offer SCRAM-SHA-256',
  )
  assert.match(converse(postgresql(LOGIN), authentication(7)).verdict?.reason ?? '', /method 7, which is not supported/)
})

test('the slow part of a SCRAM login is done once for a salt', () => {
  const memory = new ScramMemory()
  const salted = memory.salted('p', Buffer.from('salt'), 4096)
  assert.equal(memory.salted('p', Buffer.from('salt'), 4096), salted)
  assert.notEqual(memory.salted('p', Buffer.from('other'), 4096), salted)
  assert.equal(new Scram('p', memory, 'fyko').first, 'n,,n=,r=fyko')
})

const EVERY = [
  ['mysql', () => mysql({ user: 'u', password: 'p', query: 'SELECT 1', expect: text('1') }), [greeting(), OK(2)]],
  ['mysql over TLS', () => mysql(TLS), [greeting()]],
  ['postgresql', () => postgresql({ ...LOGIN, query: 'SELECT 1', expect: text('1') }), [authentication(0), message('Z', 'I')]],
] as const

for (const [name, make, begin] of EVERY) {
  test(`${name}: lengths that lie, endless answers and garbage end in a failure`, () => {
    const random = new SeededRandom(11)
    for (let round = 0; round < 40; round++) {
      const bytes = Uint8Array.from({ length: 70_000 }, () => random.next() & 0xff)
      const check = make()
      const { verdict } = round % 2 === 0 ? converse(check, bytes) : converse(check, ...begin, bytes)
      const result = verdict ?? check.parting ?? check.ended()
      assert.match(result.reason, /^[\x20-\x7e…]{1,300}$/)
    }
  })

  test(`${name}: packets without end are too many`, () => {
    const nothing = name.startsWith('mysql') ? packet(0, Uint8Array.of(1, 3)) : message('N', 'a notice')
    const { verdict } = converse(make(), ...begin.slice(0, 1), ...Array.from({ length: 600 }, () => nothing))
    assert.equal(verdict?.ok, false)
  })

  test(`${name}: answers that are cut anywhere are the same answers`, () => {
    const [whole, pieces] = [make(), make()]
    converse(whole, ...begin)
    converse(pieces, ...Buffer.concat(begin).toString('latin1'))
    assert.deepEqual(pieces.parting, whole.parting)
  })
}
