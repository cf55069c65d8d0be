import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DnsFormatError, encodeQuery, parseResponse, TYPE } from '../../../../src/pool/discovery/dns/message.ts'

/** Bytes from hex with blanks and text in quotes. */
function bytes(text: string): Uint8Array {
  const parts = text.match(/"[^"]*"|[0-9a-f]{2}/g) ?? []
  return Buffer.concat(parts.map((part) => (part.startsWith('"') ? Buffer.from(part.slice(1, -1), 'latin1') : Buffer.from(part, 'hex'))))
}

const HEAD = '1234 8180 0001'
const QUESTION = '03 "app" 04 "test" 00 0001 0001'

test('a query is what RFC 1035 says, with EDNS', () => {
  const expected = bytes('1234 0100 0001 0000 0000 0001 03 "app" 04 "test" 00 001c 0001 00 0029 04d0 00000000 0000')
  assert.deepEqual(Buffer.from(encodeQuery(0x1234, 'app.test', TYPE.AAAA)), expected)
})

test('addresses, aliases and SRV records are read, others passed over, names in any case', () => {
  const response = parseResponse(
    bytes(`${HEAD} 0004 0000 0000 03 "APP" 04 "Test" 00 0001 0001
      c00c 0005 0001 0000003c 0006 03 "WWW" c010
      c00c 0010 0001 0000003c 0003 02 "hi"
      c026 0001 0001 80000001 0004 7f000001
      c00c 0021 0001 00000005 0008 0001 0002 0050 c026`),
    0x1234,
    'app.test',
    TYPE.A,
  )
  assert.deepEqual(
    response.answers.map(({ name, type, ttlSeconds }) => [name, type, ttlSeconds]),
    [
      ['app.test', TYPE.CNAME, 60],
      ['www.test', TYPE.A, 0],
      ['app.test', TYPE.SRV, 5],
    ],
  )
  assert.equal(response.answers[0].cname, 'www.test')
  assert.deepEqual([...(response.answers[1].address ?? [])], [127, 0, 0, 1])
  assert.deepEqual(response.answers[2].srv, { priority: 1, weight: 2, port: 80, target: 'www.test' })
})

test('an answer without records brings its negative TTL along', () => {
  const soa = '04 "test" 00 0006 0001 00000e10 001a 01 "n" 00 01 "r" 00 00000001 00000002 00000003 00000004 0000001e'
  const response = parseResponse(bytes(`1234 8183 0001 0000 0001 0000 ${QUESTION} ${soa}`), 0x1234, 'app.test', TYPE.A)
  assert.equal(response.rcode, 3)
  assert.equal(response.negativeTtlSeconds, 30)
})

test('what is no answer to this question is refused', () => {
  for (const [what, hex] of [
    ['another id', `4321 8180 0001 0000 0000 0000 ${QUESTION}`],
    ['not a response', `1234 0180 0001 0000 0000 0000 ${QUESTION}`],
    ['another question', `${HEAD} 0000 0000 0000 03 "apq" 04 "test" 00 0001 0001`],
    ['another question', `${HEAD} 0000 0000 0000 03 "app" 04 "test" 00 001c 0001`],
    ['another question', '1234 8180 0000 0000 0000 0000'],
    ['it ends early', `${HEAD} 0001 0000 0000 ${QUESTION} c00c 0001`],
    ['it ends early', `${HEAD} 0001 0000 0000 ${QUESTION} c00c 0001 0001 00000001 0004 7f00`],
    ['an address of another length', `${HEAD} 0001 0000 0000 ${QUESTION} c00c 0001 0001 00000001 0003 7f0000`],
    ['a name that points forward', `${HEAD} 0001 0000 0000 ${QUESTION} c01a 0001 0001`],
    ['a label of an unknown kind', `${HEAD} 0001 0000 0000 ${QUESTION} 80 0001 0001`],
    ['too many records', `1234 8180 0001 ffff 0000 0000 ${QUESTION}`],
    ['a record of another length', `${HEAD} 0001 0000 0000 ${QUESTION} c00c 0005 0001 00000001 0004 c00c 0000`],
    ['other characters', `${HEAD} 0001 0000 0000 ${QUESTION} 03 "a.b" 00 0001 0001 00000001 0004 7f000001`],
  ] as const) {
    assert.throws(
      () => parseResponse(bytes(hex), 0x1234, 'app.test', TYPE.A),
      (error: Error) => error instanceof DnsFormatError && error.message.includes(what),
      what,
    )
  }
})

test('no bytes whatever do more than be refused', () => {
  const start = bytes(`${HEAD} 0004 0002 0001 ${QUESTION}`)
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.constantFrom(
      ...['c00c0001000100000001', '00047f000001', 'c00c', '000600010000000a'].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex'))),
    ),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      try {
        parseResponse(Buffer.concat([start, ...pieces]), 0x1234, 'app.test', TYPE.A)
      } catch (error) {
        assert.ok(error instanceof DnsFormatError, String(error))
      }
    }),
    { numRuns: 5000 },
  )
})
