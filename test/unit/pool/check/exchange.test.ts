import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExchangeCheck } from '../../../../src/pool/check/exchange.ts'
import type { ExchangeProbePlan } from '../../../../src/pool/config.ts'
import { converse, text } from '../../../support/check.ts'

function run(changes: Partial<ExchangeProbePlan>, ...pieces: (string | null)[]) {
  return converse(new ExchangeCheck({ kind: 'tcp', send: undefined, expect: undefined, tls: undefined, ...changes }), ...pieces)
}

test('without anything to send or expect a connection will do', () => {
  assert.deepEqual(run({}).verdict, { ok: true, reason: 'connected' })
  assert.deepEqual(run({ kind: 'tls' }).verdict, { ok: true, reason: 'the handshake is done' })
})

test('sends text as UTF-8 and hexadecimal as bytes', () => {
  assert.equal(run({ send: { encoding: 'utf8', value: 'é\r\n' } }).sent, 'Ã©\r\n')
  assert.equal(run({ send: { encoding: 'hex', value: '00ff' } }).sent, '\0ÿ')
})

test('waits for the text, however it is cut', () => {
  assert.equal(run({ expect: text('ready') }, ...'not yet, now ready').verdict?.reason, 'the answer matches')
  assert.equal(run({ expect: text('ready') }, 'not yet').verdict, null)
  assert.equal(run({ expect: text('~^[0-9]+ ready$') }, '220 ', 'ready').verdict?.ok, true)
})

test('what was answered instead is told at the end, at the time-out and when it is too much', () => {
  assert.equal(
    run({ expect: text('ready') }, '-ERR\r\n', null).verdict?.reason,
    'connection closed, and the answer "-ERR" does not contain "ready"',
  )
  assert.equal(run({ expect: text('~^2') }, null).verdict?.reason, 'connection closed, and the answer is empty, expected /^2/')
  const check = new ExchangeCheck({ kind: 'tcp', send: undefined, expect: text('ready'), tls: undefined })
  assert.equal(check.expired(), null)
  converse(check, 'busy')
  assert.equal(check.expired()?.reason, 'until the time-out the answer "busy" does not contain "ready"')
  const flood = Array.from({ length: 8 }, () => 'a'.repeat(8 * 1024))
  assert.match(run({ expect: text('ready') }, ...flood).verdict?.reason ?? '', /^the answer "a{100}…" does not contain "ready"$/)
  assert.match(run({ expect: text('~ready') }, flood[0]).verdict?.reason ?? '', /does not contain \/ready\/$/)
})

test('a regular expression that comes byte by byte is still found at the end', () => {
  const check = new ExchangeCheck({ kind: 'tcp', send: undefined, expect: text('~b$'), tls: undefined })
  assert.equal(converse(check, ...'a'.repeat(50), 'b').verdict, null)
  assert.equal(check.expired()?.ok, true)
  assert.equal(run({ expect: text('~b$') }, ...'a'.repeat(50), 'b', null).verdict?.ok, true)
})

test('a datagram without an expected answer: an answer and silence are both good', () => {
  assert.equal(run({ kind: 'udp' }, 'anything').verdict?.ok, true)
  const check = new ExchangeCheck({ kind: 'udp', send: { encoding: 'utf8', value: 'x' }, expect: undefined, tls: undefined })
  assert.equal(converse(check).verdict, null)
  assert.deepEqual(check.expired(), { ok: true, reason: 'no answer, and no error' })
})
