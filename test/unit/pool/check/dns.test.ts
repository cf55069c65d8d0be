import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DnsCheck } from '../../../../src/pool/check/dns/dns.ts'
import type { DnsProbePlan } from '../../../../src/pool/config.ts'
import { SeededRandom } from '../../../../src/pool/index.ts'
import { converse } from '../../../support/check.ts'

const PLAN: DnsProbePlan = { kind: 'dns', transport: 'udp', name: 'www.test', type: 1, status: [0], answer: undefined }
const QUESTION = Buffer.from('\x03www\x04test\0\0\x01\0\x01', 'latin1')
const ADDRESS = Buffer.from('\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07', 'latin1')

function response(changes: { id?: number; flags?: number; question?: Buffer; count?: number } = {}, ...answers: Buffer[]): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(changes.id ?? 7, 0)
  head.writeUInt16BE(changes.flags ?? 0x8180, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(changes.count ?? answers.length, 6)
  return Buffer.concat([head, changes.question ?? QUESTION, ...answers])
}

const run = (changes: Partial<DnsProbePlan>, ...pieces: (Buffer | string | null)[]) =>
  converse(new DnsCheck({ ...PLAN, ...changes }, 7), ...pieces)

test('asks one question, with recursion desired; over TCP with its length', () => {
  const query = Buffer.concat([Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), QUESTION])
  assert.deepEqual(run({}).bytes, query)
  assert.deepEqual(run({ transport: 'tcp' }).bytes, Buffer.concat([Buffer.from([0, query.length]), query]))
  assert.deepEqual(run({ name: '' }).bytes.subarray(12), Buffer.from([0, 0, 1, 0, 1]))
})

test('judges code, answers and address', () => {
  assert.equal(run({}, response({}, ADDRESS)).verdict?.reason, 'NOERROR, 1 answer')
  assert.equal(run({ answer: '192.0.2.7' }, response({}, ADDRESS)).verdict?.ok, true)
  assert.equal(run({ answer: '192.0.2.8' }, response({}, ADDRESS)).verdict?.reason, 'NOERROR, but 192.0.2.8 is not among the answers')
  assert.equal(run({}, response()).verdict?.reason, 'NOERROR, but no answers')
  assert.equal(run({}, response({ flags: 0x8182 })).verdict?.reason, 'SERVFAIL, expected NOERROR')
  assert.equal(run({ status: [2] }, response({ flags: 0x8182 })).verdict?.ok, true)
  assert.equal(run({}, response({ flags: 0x8189 })).verdict?.reason, 'RCODE 9, expected NOERROR')
})

test('datagrams that answer another query are passed over, up to a limit', () => {
  const strangers = [
    response({ id: 8 }, ADDRESS),
    response({ flags: 0x0100 }, ADDRESS),
    response({ question: Buffer.from('\x03www\x04evil\0\0\x01\0\x01') }, ADDRESS),
    'x',
  ]
  for (const stranger of strangers) assert.equal(run({}, stranger).verdict, null)
  assert.equal(run({}, ...strangers, response({}, ADDRESS)).verdict?.ok, true)
  assert.equal(run({}, ...Array.from({ length: 65 }, () => strangers[0])).verdict?.reason, 'the response is not DNS')
  assert.equal(run({ transport: 'tcp' }, Buffer.from([0, 3]), 'abc').verdict?.reason, 'the response is not DNS')
})

test('names without end, pointers in circles and lengths that lie are failures', () => {
  assert.equal(run({}, response({ count: 2 }, ADDRESS)).verdict?.reason, 'the response is not DNS')
  assert.equal(run({}, response({ count: 65535 }, Buffer.from('\xc0\x0c', 'latin1'))).verdict?.ok, false)
  assert.equal(run({}, response({ count: 1 }, Buffer.alloc(300, 63))).verdict?.ok, false)
  assert.equal(run({}, response({ count: 1 }, Buffer.from('\x80', 'latin1'))).verdict?.ok, false)
  const random = new SeededRandom(3)
  for (let round = 0; round < 2000; round++) {
    const bytes = response(
      { count: random.next() % 300 },
      Buffer.from(Array.from({ length: random.next() % 200 }, () => random.next() & 255)),
    )
    bytes[2 + (random.next() % (bytes.length - 2))] = random.next() & 255
    run({ answer: '192.0.2.7' }, bytes)
  }
})

test('over TCP the response may be cut anywhere', () => {
  const whole = response({}, ADDRESS)
  const framed = Buffer.concat([Buffer.from([whole.length >> 8, whole.length & 255]), whole])
  assert.equal(run({ transport: 'tcp' }, ...framed.toString('latin1')).verdict?.reason, 'NOERROR, 1 answer')
  assert.equal(run({ transport: 'tcp' }, framed.subarray(0, 10), null).verdict?.reason, 'connection closed before the answer')
})
