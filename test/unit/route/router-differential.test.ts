import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { NormalPath, Router } from '../../../src/route/index.ts'
import { naiveMatch, naiveNormalPath } from '../../support/naive-router.ts'
import { type Match, ParsedRequest, plans, type TestRequest } from '../../support/routes.ts'

// Small alphabets, so that routes and requests meet, overlap and almost meet.
const label = fc.constantFrom('a', 'b', 'shop', 'ab')
const hostName = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
const routeHost = fc.oneof(
  hostName,
  hostName.map((host) => `*.${host}`),
)
const segment = fc.constantFrom('', 'a', 'b', 'ab', 'abc', 'a~', '.x', '%2F', 'x;y', '%7B')
const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`.replace(/\/+/g, '/'))
const regex = fc.constantFrom('^/a', '^/a(b|c)', 'b$', '^/ab?c*', '/x;y', '^/(a|b)/', '^/a\\.?', '^/[ab]+$', '%2F', '^/ab+')
const routePath = fc.oneof(
  path,
  path.map((text) => `${text}*`),
  path.map((text) => `${text.slice(0, -1)}*`).filter((text) => text.startsWith('/') && !/%.?\*$/.test(text)),
  regex.map((source) => `~ ${source}`),
  fc.constant('*'),
)
const value = fc.constantFrom('1', '2', '~ ^1', '*', '!')
const fieldsOf = (...names: string[]) => fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 2 })
const sometimes = <T>(arbitrary: fc.Arbitrary<T>, weight: number) => fc.option(arbitrary, { nil: undefined, freq: weight })

const routeMatch: fc.Arbitrary<Match> = fc.record({
  host: sometimes(fc.array(routeHost, { minLength: 1, maxLength: 3 }), 2),
  path: sometimes(fc.array(routePath, { minLength: 1, maxLength: 3 }), 3),
  method: sometimes(fc.subarray(['GET', 'POST', 'PURGE'], { minLength: 1 }), 1),
  client: sometimes(fc.subarray(['10.0.0.0/8', '10.1.0.0/16', '192.0.2.1', 'fd00::/8'], { minLength: 1 }), 1),
  header: sometimes(fieldsOf('x-a', 'accept'), 1),
  cookie: sometimes(fieldsOf('c', 'd'), 1),
  query: sometimes(fieldsOf('q', 'r s'), 1),
})

const rawSegment = fc.oneof(
  segment,
  fc.constantFrom('%61', '%41b', '%7e', '%2f', '{', '..', '.', '%2e', '..;x', '..%2fa', 'a..', '%25', '%3b'),
)
const rawPath = fc.array(rawSegment, { minLength: 1, maxLength: 5 }).map((segments) => `/${segments.join('/')}`)
const query = fc.constantFrom('', '?', '?q=1', '?q=2&q=1', '?r+s=1', '?%71=1', '?r%20s', '?q&x=/a')
const origin = fc.tuple(fc.oneof(path, rawPath), query).map(([text, behind]) => text + behind)
const requestHost = fc.tuple(hostName, fc.constantFrom('', ':80', '.', '.:8080')).map(([host, behind]) => host + behind)
const field = fc.tuple(
  fc.constantFrom('x-a', 'X-A', 'Accept', 'Cookie', 'x-b'),
  fc.constantFrom('1', '2', '12', 'c=1', 'd=2; c=2', 'c=1; d=1'),
)

const request: fc.Arbitrary<TestRequest> = fc
  .record({
    method: fc.constantFrom('GET', 'GET', 'POST', 'PURGE', 'OPTIONS'),
    target: fc.oneof(
      { weight: 8, arbitrary: origin },
      { weight: 2, arbitrary: fc.tuple(hostName, fc.oneof(origin, fc.constant(''))).map(([host, text]) => `http://${host}${text}`) },
    ),
    host: fc.oneof(requestHost, fc.constant('Shop.AB')),
    fields: fc.array(field, { maxLength: 4 }),
    client: fc.constantFrom('10.0.0.1', '10.1.2.3', '192.0.2.1', '::ffff:10.1.0.9', 'fd00::1', '2001:db8::1'),
    isStar: fc.integer({ min: 0, max: 15 }).map((n) => n === 0),
  })
  .map(({ isStar, ...rest }) => (isStar ? { ...rest, method: 'OPTIONS', target: '*' } : rest))

/** Says of what was generated how much of it reached a route: a generator that misses proves nothing. */
const seen = { routes: 0, none: 0, refused: 0 }

describe('Router against a naive one', () => {
  it('takes the same route for any table and any request, and explain() agrees', () => {
    fc.assert(
      fc.property(fc.array(routeMatch, { maxLength: 25 }), fc.array(request, { minLength: 1, maxLength: 10 }), (table, requests) => {
        const compiled = plans(...table)
        const router = new Router(compiled)
        for (const each of requests) {
          const { memory, head, client } = new ParsedRequest(each)
          const expected = naiveMatch(compiled, each)
          const actual = router.match(memory, head, client)
          assert.equal(actual, expected, JSON.stringify(each))
          if (actual >= 0) seen.routes++
          else if (actual === -1) seen.none++
          else seen.refused++
          if (actual !== -2)
            assert.equal(
              router.explain(memory, head, client).findIndex((route) => route.matches),
              expected,
            )
        }
      }),
      { numRuns: 1500 },
    )
    assert.ok(seen.routes > 1000 && seen.none > 100 && seen.refused > 100, JSON.stringify(seen))
  })

  it('brings any path into the same form, which is its own normal form', () => {
    const piece = fc.constantFrom(
      '/',
      '/',
      '.',
      '%2e',
      '%2E',
      '%2f',
      '%5c',
      '%00',
      '%',
      '%4',
      'a',
      '~',
      '%7E',
      ';',
      '%3b',
      '"',
      'é',
      '%c3',
      '%25',
      '%20',
      '+',
      '\\',
      '#',
      '?',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = `/${pieces.filter((each) => each !== '?').join('')}`
        const bytes = Buffer.from(text, 'latin1')
        const normal = new NormalPath()
        const expected = naiveNormalPath(text)
        assert.equal(normal.read(bytes, 0, bytes.length), expected !== null, text)
        if (expected === null) return
        const result = Uint8Array.from(normal.bytes.subarray(normal.start, normal.end))
        assert.equal(Buffer.from(result).toString('latin1'), expected)
        const again = new NormalPath()
        assert.ok(again.read(result, 0, result.length))
        assert.equal(again.bytes, expected.includes('%') || expected.includes('/.') ? again.bytes : result)
        assert.equal(Buffer.from(again.bytes.subarray(again.start, again.end)).toString('latin1'), expected)
      }),
      { numRuns: 5000 },
    )
  })
})
