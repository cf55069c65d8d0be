import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ByteRange, equalsDecoded, findQueryParameter, parseRequestHead, RequestHead } from '../../../src/http/index.ts'
import { place, textOf } from './bytes.ts'

const LIMITS = { maxLineBytes: 1000, maxHeadBytes: 2000, maxFields: 20 }

function parameter(name: string, target: string): string | null {
  const { memory, start, end } = place(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
  const head = new RequestHead(20)
  assert.equal(parseRequestHead(memory, start, end, head, LIMITS), end)
  const range = new ByteRange()
  return findQueryParameter(memory, head, Buffer.from(name), range) ? textOf(memory, range.start, range.end) : null
}

it('finds a parameter, the first of that name, still encoded', () => {
  assert.equal(parameter('a', '/?a=1'), '1')
  assert.equal(parameter('b', '/x?a=1&b=%20x+y&b=3'), '%20x+y')
  assert.equal(parameter('b', 'http://h?a&b=2'), '2')
  assert.equal(parameter('a', '/?a=b=c'), 'b=c')
})

it('has an empty value where there is no "=" or nothing behind it', () => {
  assert.equal(parameter('a', '/?a'), '')
  assert.equal(parameter('a', '/?a&b'), '')
  assert.equal(parameter('a', '/?a='), '')
})

it('compares names decoded', () => {
  assert.equal(parameter('id', '/?%69d=1'), '1')
  assert.equal(parameter('a b', '/?a+b=1'), '1')
  assert.equal(parameter('a&b', '/?a%26b=1'), '1')
})

it('finds nothing where nothing is', () => {
  for (const target of ['/', '/?', '/a=1', '/?b=a', '/?ab=1', '/?&&', '/?=1', '/?A=1']) assert.equal(parameter('a', target), null, target)
})

it('compares values decoded, and a stray "%" as itself', () => {
  const equals = (encoded: string, plain: string) => {
    const { memory, start, end } = place(encoded)
    return equalsDecoded(memory, start, end, Buffer.from(plain, 'latin1'))
  }
  assert.ok(equals('a%2fb+c', 'a/b c'))
  assert.ok(equals('50%', '50%'))
  assert.ok(equals('%4', '%4'))
  assert.ok(equals('%zz', '%zz'))
  assert.ok(equals('', ''))
  assert.ok(!equals('ab', 'a'))
  assert.ok(!equals('a', 'ab'))
  assert.ok(!equals('A', 'a'))
})
