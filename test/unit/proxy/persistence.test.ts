import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRequestHead, RequestHead } from '../../../src/http/index.ts'
import { PersistenceCookie } from '../../../src/pool/index.ts'
import type { Exchange } from '../../../src/proxy/exchange.ts'
import { HeadWriter } from '../../../src/proxy/head-writer.ts'
import { readCookie, writeCookies } from '../../../src/proxy/persistence.ts'

const OPTIONS = { format: 'plain', secrets: [], domain: '', path: '/', secure: false, httpOnly: true, sameSite: '', maxAge: 0 } as const
const LIMITS = { maxLineBytes: 8192, maxHeadBytes: 16_384, maxFields: 100 }

/** What a server sees of the Cookie fields of a request. */
function forwarded(mode: 'insert' | 'prefix', fields: readonly string[]): { persisted: number; seen: string[]; room: number } {
  const memory = Buffer.alloc(65_536)
  const text = `GET / HTTP/1.1\r\nHost: test\r\n${fields.map((field) => `Cookie: ${field}\r\n`).join('')}\r\n`
  const end = memory.write(text, 'latin1')
  const request = new RequestHead(100)
  assert.equal(parseRequestHead(memory, 0, end, request, LIMITS), end)
  const cookie = new PersistenceCookie('app', ['a', 'b'], { ...OPTIONS, name: 'SRV', mode })
  const exchange = {
    pool: { pool: { cookie } },
    request,
    worker: { engine: { memory } },
    pick: { persisted: -1 },
    persisted: -1,
    cookieEdit: 0,
    cookieStart: 0,
    cookieForward: 0,
  } as unknown as Exchange
  readCookie(exchange)
  if (exchange.cookieEdit === 0) return { persisted: exchange.persisted, seen: [...fields], room: 0 }
  const writer = new HeadWriter(memory)
  writer.begin(32_768)
  writeCookies(exchange, writer)
  const written = memory.toString('latin1', 32_768, writer.at)
  const seen = written.split('\r\n').filter((line) => line !== '')
  const before = fields.reduce((sum, field) => sum + 'Cookie: \r\n'.length + field.length, 0)
  return { persisted: exchange.persisted, seen: seen.map((line) => line.slice('Cookie: '.length)), room: before - written.length }
}

const cookieValue = (server: number, mode: 'insert' | 'prefix'): string =>
  new PersistenceCookie('app', ['a', 'b'], { ...OPTIONS, name: 'SRV', mode }).insertion(server, -1)?.split(/[=;]/)[1] ??
  new PersistenceCookie('app', ['a', 'b'], { ...OPTIONS, name: 'SRV', mode }).rewrite('SRV=', server)?.split(/[=~]/)[1] ??
  ''

test('an inserted cookie is taken out wherever it stands, and nothing else', () => {
  const srv = `SRV=${cookieValue(1, 'insert')}`
  for (const [fields, seen] of [
    [[srv], []],
    [[`a=1; ${srv}`], ['a=1']],
    [[`${srv}; a=1`], ['a=1']],
    [[`a=1;${srv};b=2`], ['a=1;b=2']],
    [[`a=1; ${srv}; b="x y"; SRVX=3; xSRV=4`], ['a=1; b="x y"; SRVX=3; xSRV=4']],
    [
      ['a=1', srv, 'b=2'],
      ['a=1', 'b=2'],
    ],
    [[`${srv}; SRV=other; a=1`], ['a=1']],
    [[`; ;${srv};;`], []],
  ] as const) {
    const { persisted, seen: actual } = forwarded('insert', fields)
    assert.equal(persisted, 1)
    assert.deepEqual(actual, seen)
  }
})

test('a prefixed cookie loses our part only', () => {
  const srv = `SRV=${cookieValue(1, 'prefix')}~abc=~d`
  assert.deepEqual(forwarded('prefix', [`a=1; ${srv}; b=2`]).seen, ['a=1; SRV=abc=~d; b=2'])
  assert.deepEqual(forwarded('prefix', ['SRV=abc; b=2']), { persisted: -1, seen: ['SRV=abc; b=2'], room: 0 })
})

test('whatever clients send, other cookies keep their order and value, and no room is needed', () => {
  const pair = fc.oneof(
    fc.constantFrom('a=1', 'SRV=x', `SRV=${cookieValue(0, 'insert')}`, ' b = 2 ', 'SRV', '=', '', 'SRV =y', 'SRVS=1', '\tc=3'),
    fc.stringMatching(/^[!-:<-~]{0,12}$/),
  )
  const pairsOf = (field: string): string[] =>
    field
      .split(';')
      .map((each) => each.replace(/^[ \t]+|[ \t]+$/g, ''))
      .filter((each) => each !== '' && !/^SRV[ \t]*=/.test(each))
  fc.assert(
    fc.property(fc.array(fc.array(pair, { maxLength: 6 }), { maxLength: 4 }), (lists) => {
      const fields = lists.map((pairs) => pairs.join(';'))
      const { seen, room } = forwarded('insert', fields)
      const hasOurs = fields.some((field) => field.split(';').some((each) => /^[ \t]*SRV[ \t]*=/.test(each)))
      if (!hasOurs) return
      assert.deepEqual(seen.flatMap(pairsOf), fields.flatMap(pairsOf))
      assert.ok(!seen.some((field) => field.split(';').some((each) => /^[ \t]*SRV[ \t]*=/.test(each))))
      assert.ok(room >= 0)
    }),
  )
})
