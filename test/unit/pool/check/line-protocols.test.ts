import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ImapCheck } from '../../../../src/pool/check/imap.ts'
import { MemcachedCheck } from '../../../../src/pool/check/memcached.ts'
import { Pop3Check } from '../../../../src/pool/check/pop3.ts'
import type { CheckProtocol } from '../../../../src/pool/check/protocol.ts'
import { RedisCheck } from '../../../../src/pool/check/redis.ts'
import { SmtpCheck } from '../../../../src/pool/check/smtp.ts'
import { SeededRandom } from '../../../../src/pool/index.ts'
import { CHECK_TLS, converse } from '../../../support/check.ts'

const TLS = { mode: 'upgrade', tls: CHECK_TLS } as const
const CLEAR = { mode: 'none', tls: undefined } as const
const MAILBOX = { user: undefined, password: undefined, ...CLEAR } as const
const REDIS = { kind: 'redis', user: undefined, password: undefined, role: 'any', ...CLEAR } as const

const smtp = (more: object = {}) => new SmtpCheck({ kind: 'smtp', hello: 'lb.test', ...CLEAR, ...more })
const imap = (more: object = {}) => new ImapCheck({ kind: 'imap', ...MAILBOX, ...more })
const pop3 = (more: object = {}) => new Pop3Check({ kind: 'pop3', ...MAILBOX, ...more })
const redis = (more: object = {}) => new RedisCheck({ ...REDIS, ...more })

const EVERY: readonly [name: string, make: () => CheckProtocol][] = [
  ['smtp', smtp],
  ['smtp with STARTTLS', () => smtp(TLS)],
  ['imap', () => imap({ user: 'u', password: 'p', ...TLS })],
  ['pop3', () => pop3({ user: 'u', password: 'p', ...TLS })],
  ['redis', redis],
  ['redis with a role', () => redis({ password: 'p', role: 'primary' })],
  ['memcached', () => new MemcachedCheck()],
]

test('smtp: greeting, EHLO, STARTTLS, EHLO, QUIT', () => {
  const { sent, verdict } = converse(
    smtp(TLS),
    '220 hi\r\n',
    '250-mail\r\n250-STARTTLS\r\n250 HELP\r\n',
    '220 go\r\n',
    '250 mail\r\n',
    '221 bye\r\n',
  )
  assert.equal(sent, 'EHLO lb.test\r\nSTARTTLS\r\nEHLO lb.test\r\nQUIT\r\n')
  assert.deepEqual(verdict, { ok: true, reason: 'EHLO is answered' })
})

test('smtp: a server that is busy, has no STARTTLS or takes back what it offered', () => {
  assert.equal(converse(smtp(), '421 4.3.2 too busy\r\n').verdict?.reason, 'the greeting is "421 4.3.2 too busy"')
  assert.equal(converse(smtp(), '220 hi\r\n', '502 no\r\n').verdict?.reason, 'the answer to EHLO is "502 no"')
  assert.equal(converse(smtp(TLS), '220 hi\r\n', '250 mail\r\n').verdict?.reason, 'STARTTLS is not offered')
  assert.equal(converse(smtp(TLS), '220 hi\r\n', '250 STARTTLS\r\n', '454 no\r\n').verdict?.reason, 'the answer to STARTTLS is "454 no"')
})

test('after the answer that counts, an end or a silence is no failure', () => {
  assert.equal(converse(smtp(), '220 hi\r\n', '250 mail\r\n', null).verdict?.ok, true)
  const check = smtp()
  converse(check, '220 hi\r\n', '250 mail\r\n')
  assert.equal(check.parting?.ok, true)
  assert.equal(converse(imap(), '* OK hi\r\n', 'e OK\r\n', null).verdict?.ok, true)
  assert.equal(converse(pop3(), '+OK hi\r\n', null).verdict?.ok, true)
  assert.equal(converse(smtp(), '220 hi\r\n', null).verdict?.reason, 'connection closed before the answer')
})

test('imap: quotes what it logs in with, and passes over untagged lines', () => {
  const { sent, verdict } = converse(
    imap({ user: 'a"b', password: 'c\\d' }),
    '* OK hi\r\n',
    '* CAPABILITY X\r\ne OK in\r\n',
    'e OK\r\n',
    '* BYE\r\ne OK\r\n',
  )
  assert.equal(sent, 'e LOGIN "a\\"b" "c\\\\d"\r\ne NOOP\r\ne LOGOUT\r\n')
  assert.equal(verdict?.reason, 'logged in')
  assert.equal(converse(imap(), '* BYE overloaded\r\n').verdict?.reason, 'the greeting is "* BYE overloaded"')
  assert.equal(converse(imap(), '* OK hi\r\n', '+ go on\r\n').verdict?.reason, '"+ go on" is not IMAP')
})

test('pop3: greeting, STLS, USER, PASS, QUIT', () => {
  const { sent, verdict } = converse(pop3({ user: 'u', password: 'p', ...TLS }), '+OK\r\n', '+OK\r\n', '+OK\r\n', '+OK\r\n', '+OK\r\n')
  assert.equal(sent, 'STLS\r\nUSER u\r\nPASS p\r\nQUIT\r\n')
  assert.equal(verdict?.ok, true)
  assert.equal(converse(pop3(), '-ERR [SYS/TEMP] no\r\n').verdict?.reason, 'the greeting is "-ERR [SYS/TEMP] no"')
})

test('redis: a server that loads its data, and answers that are no role', () => {
  assert.equal(converse(redis(), '-LOADING Redis is loading\r\n').verdict?.reason, 'the answer to PING is "LOADING Redis is loading"')
  assert.equal(converse(redis({ role: 'replica' }), '*3\r\n$6\r\nmaster\r\n').verdict?.reason, 'the role is "master", expected "slave"')
  assert.equal(converse(redis({ role: 'primary' }), '*3\r\n$6\r\nmaster\r\n').verdict?.ok, true)
  assert.equal(converse(redis({ role: 'primary' }), ':1\r\n').verdict?.reason, '":1" is not Redis')
  assert.equal(converse(redis(), '+MAYBE\r\n').verdict?.reason, 'the answer to PING is "+MAYBE"')
})

test('bytes in the clear behind the answer to STARTTLS are refused', () => {
  const injected = '220 go\r\n250 from the wire\r\n'
  assert.equal(converse(smtp(TLS), '220 hi\r\n', '250 STARTTLS\r\n', injected).verdict?.reason, 'bytes in the clear where TLS begins')
})

for (const [name, make] of EVERY) {
  test(`${name}: answers that are cut anywhere are the same answers`, () => {
    const answers = ['220 hi\r\n', '* OK hi\r\n', '+OK hi\r\n', '+PONG\r\n', '-ERR x\r\n', 'VERSION 1\r\n', '*1\r\n$6\r\nmaster\r\n']
    for (const answer of answers) assert.deepEqual(converse(make(), ...answer).verdict, converse(make(), answer).verdict)
  })

  test(`${name}: a line without end, lines without end and garbage end in a failure`, () => {
    const { verdict } = converse(make(), ...Array.from({ length: 3 }, () => '2'.repeat(1024)))
    assert.deepEqual(verdict, { ok: false, reason: 'a line of more than 2048 bytes' })
    for (const line of ['220-x\r\n', '* OK\r\n', '+OK\r\n', '*1\r\n', '\n']) {
      const flood = converse(make(), ...Array.from({ length: 300 }, () => line)).verdict
      assert.ok(flood !== null, `${JSON.stringify(line)} goes on for ever`)
    }
    const random = new SeededRandom(7)
    for (let round = 0; round < 200; round++) {
      const bytes = Uint8Array.from({ length: 3000 }, () => random.next() & 0xff)
      const reason = converse(make(), bytes).verdict?.reason
      assert.ok(reason !== undefined && /^[\x20-\x7e…]*$/.test(reason) && reason.length < 300, reason)
    }
  })
}
