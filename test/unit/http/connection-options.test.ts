import assert from 'node:assert/strict'
import { it } from 'node:test'
import { isConnectionOption, OPTION, parseConnectionOptions, parseResponseHead, ResponseHead } from '../../../src/http/index.ts'
import { place } from './bytes.ts'

const LIMITS = { maxLineBytes: 1000, maxHeadBytes: 2000, maxFields: 20 }

function options(text: string): number {
  const { memory, start, end } = place(text)
  return parseConnectionOptions(memory, start, end)
}

function isListed(connection: string[], name: string): boolean {
  const lines = connection.map((value) => `Connection: ${value}\r\n`).join('')
  const { memory, start, end } = place(`HTTP/1.1 200 OK\r\n${lines}\r\n${name}`)
  const head = new ResponseHead(20)
  const headEnd = parseResponseHead(memory, start, end, head, LIMITS, 1)
  assert.ok(headEnd > 0)
  return isConnectionOption(memory, head, headEnd, end)
}

it('finds the options in lists with any white space and empty elements', () => {
  assert.equal(options('close'), OPTION.CLOSE)
  assert.equal(options('Keep-Alive'), OPTION.KEEP_ALIVE)
  assert.equal(options(' ,,\t, CLOSE ,\t'), OPTION.CLOSE)
  assert.equal(options('upgrade,keep-alive'), OPTION.UPGRADE | OPTION.KEEP_ALIVE)
  assert.equal(options('x-a, close'), OPTION.OTHER | OPTION.CLOSE)
  assert.equal(options('te, transfer-encoding, connection'), 0)
  assert.equal(options(''), 0)
})

it('notes protected names and malformed elements', () => {
  assert.equal(options('host'), OPTION.PROTECTED)
  assert.equal(options('X-Forwarded-For, content-length'), OPTION.PROTECTED)
  assert.equal(options('"close"'), OPTION.MALFORMED)
  assert.equal(options('keep-alive; x'), OPTION.KEEP_ALIVE | OPTION.MALFORMED)
  assert.equal(options('closed'), OPTION.OTHER)
  assert.equal(options('clos'), OPTION.OTHER)
})

it('says which field names are listed, in any Connection field and case', () => {
  assert.ok(isListed(['X-A'], 'x-a'))
  assert.ok(isListed(['close', ' , y ,x-a , z'], 'X-A'))
  assert.ok(!isListed(['x-ab, x'], 'x-a'))
  assert.ok(!isListed([], 'x-a'))
  assert.ok(!isListed(['host, content-length'], 'Content-Length'))
})
