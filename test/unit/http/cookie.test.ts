import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ByteRange, findCookie, parseRequestHead, RequestHead } from '../../../src/http/index.ts'
import { place, textOf } from './bytes.ts'

const LIMITS = { maxLineBytes: 1000, maxHeadBytes: 2000, maxFields: 20 }

function cookie(name: string, ...values: string[]): string | null {
  const lines = values.map((value) => `Cookie: ${value}\r\n`).join('')
  const { memory, start, end } = place(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`)
  const head = new RequestHead(20)
  assert.equal(parseRequestHead(memory, start, end, head, LIMITS), end)
  const range = new ByteRange()
  return findCookie(memory, head, Buffer.from(name), range) ? textOf(memory, range.start, range.end) : null
}

it('finds a cookie among others', () => {
  assert.equal(cookie('b', 'a=1; b=2; c=3'), '2')
  assert.equal(cookie('a', 'a=1; b=2'), '1')
  assert.equal(cookie('c', 'a=1;b=2;c=3'), '3')
  assert.equal(cookie('EVSRV', 'EVSRV=x/y=z=='), 'x/y=z==')
})

it('takes the first of several and looks through all Cookie fields', () => {
  assert.equal(cookie('a', 'a=1; a=2'), '1')
  assert.equal(cookie('b', 'a=1', 'b=2', 'b=3'), '2')
})

it('takes no other name, value or case for it', () => {
  assert.equal(cookie('a', 'xa=1; a.b=2; aa=3; A=4'), null)
  assert.equal(cookie('a', 'b="; a=1'), '1')
  assert.equal(cookie('a', 'b=a=1'), null)
  assert.equal(cookie('a', 'a; b=1'), null)
  assert.equal(cookie('a', ''), null)
  assert.equal(cookie('a'), null)
})

it('accepts odd white space and empty values', () => {
  assert.equal(cookie('a', ' ;; a = 1 \t; b=2'), '1')
  assert.equal(cookie('a', 'a=; b=2'), '')
  assert.equal(cookie('b', 'a=1; b='), '')
  assert.equal(cookie('a', 'a="q"'), '"q"')
})
