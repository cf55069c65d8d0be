import assert from 'node:assert/strict'
import { it } from 'node:test'
import { BODY, FIELD, METHOD, parseRequestHead, REJECT, RequestHead, TARGET } from '../../../../src/http/index.ts'
import { place, textOf } from '../bytes.ts'

const LIMITS = { maxLineBytes: 40, maxHeadBytes: 120, maxFields: 4 }

function parse(text: string, limits = LIMITS) {
  const { memory, start, end } = place(text)
  const head = new RequestHead(8)
  const result = parseRequestHead(memory, start, end, head, limits)
  return { head, result, length: result - start, part: (from: number, to: number) => textOf(memory, from, to) }
}

it('fills in every part of the head', () => {
  const { head, length, part } = parse('POST /a/b?c=d HTTP/1.1\r\nHost: h.test:81\r\nContent-Length: 12\r\nX-A:  b \r\n\r\nbody')
  assert.equal(length, 73)
  assert.equal(head.method, METHOD.POST)
  assert.equal(part(head.methodStart, head.methodEnd), 'POST')
  assert.equal(head.targetForm, TARGET.ORIGIN)
  assert.equal(part(head.targetStart, head.targetEnd), '/a/b?c=d')
  assert.equal(part(head.pathStart, head.pathEnd), '/a/b')
  assert.equal(part(head.queryStart, head.queryEnd), 'c=d')
  assert.equal(head.hasQuery, true)
  assert.equal(part(head.authorityStart, head.authorityEnd), 'h.test:81')
  assert.equal(part(head.hostStart, head.hostEnd), 'h.test')
  assert.equal(head.minorVersion, 1)
  assert.equal(head.body, BODY.LENGTH)
  assert.equal(head.contentLength, 12)
  assert.equal(head.fields.count, 3)
  assert.equal(head.fields.find(FIELD.CONTENT_LENGTH), 1)
  assert.equal(head.fields.find(FIELD.COOKIE), -1)
  assert.equal(part(head.fields.valueStart(2), head.fields.valueEnd(2)), 'b')
  assert.equal(part(head.headStart, head.headEnd).length, 73)
})

it('leaves nothing of the message before in the head', () => {
  const head = new RequestHead(8)
  const first = place(
    'POST http://h:1/p?q HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: x, upgrade\r\nUpgrade: y\r\n\r\n',
  )
  const limits = { ...LIMITS, maxHeadBytes: 500, maxFields: 8 }
  assert.equal(parseRequestHead(first.memory, first.start, first.end, head, limits), first.end)
  const second = place('GET / HTTP/1.0\r\n\r\n')
  assert.equal(parseRequestHead(second.memory, second.start, second.end, head, limits), second.end)
  const fresh = new RequestHead(8)
  parseRequestHead(second.memory, second.start, second.end, fresh, limits)
  const { fields, ...rest } = head
  const { fields: freshFields, ...freshRest } = fresh
  assert.deepEqual(rest, freshRest)
  assert.equal(fields.count, freshFields.count)
})

it('finds the parts of absolute-form', () => {
  const { head, part } = parse('GET http://[::1]:8080?q HTTP/1.1\r\nHost: other\r\n\r\n')
  assert.equal(head.targetForm, TARGET.ABSOLUTE)
  assert.equal(part(head.authorityStart, head.authorityEnd), '[::1]:8080')
  assert.equal(part(head.hostStart, head.hostEnd), '[::1]')
  assert.equal(head.pathStart, head.pathEnd)
  assert.equal(part(head.queryStart, head.queryEnd), 'q')
  assert.equal(head.isHttpsTarget, false)
  assert.equal(parse('GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n').head.isHttpsTarget, true)
  assert.equal(parse('GET / HTTP/1.1\r\nHost: a\r\n\r\n').head.isHttpsTarget, false)
})

it('tells a query that is empty from none', () => {
  const empty = parse('GET /a? HTTP/1.1\r\nHost: a\r\n\r\n').head
  assert.equal(empty.hasQuery, true)
  assert.equal(empty.queryStart, empty.queryEnd)
  assert.equal(parse('GET /a HTTP/1.1\r\nHost: a\r\n\r\n').head.hasQuery, false)
})

it('asks for more bytes until the head is complete, whatever the limits', () => {
  const text = 'GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n'
  for (let length = 0; length < text.length; length++) assert.equal(parse(text.slice(0, length)).result, 0, text.slice(0, length))
  assert.equal(parse(text).length, text.length)
})

it('keeps the limit of the request line to the byte', () => {
  const line = (length: number) => `GET /${'a'.repeat(length - 14)} HTTP/1.1\r\nHost: a\r\n\r\n`
  assert.ok(parse(line(40)).result > 0)
  assert.equal(parse(line(41)).result, -REJECT.TARGET_TOO_LONG)
  assert.equal(parse(`GET /${'a'.repeat(36)}`).result, 0)
  assert.equal(parse(`GET /${'a'.repeat(37)}`).result, -REJECT.TARGET_TOO_LONG)
  assert.equal(parse('A'.repeat(41)).result, 0)
  assert.equal(parse('A'.repeat(42)).result, -REJECT.REQUEST_LINE_TOO_LONG)
})

it('keeps the limit of the head to the byte', () => {
  const head = (length: number) => `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(length - 32)}\r\n\r\n`
  assert.equal(head(120).length, 120)
  assert.ok(parse(head(120)).result > 0)
  assert.equal(parse(head(121)).result, -REJECT.HEAD_TOO_LARGE)
  assert.equal(parse(head(130).slice(0, 119)).result, 0)
  assert.equal(parse(head(130).slice(0, 120)).result, -REJECT.HEAD_TOO_LARGE)
})

it('takes as many fields as the limit and the capacity allow', () => {
  const head = (count: number) => `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(count - 1)}\r\n`
  assert.ok(parse(head(4)).result > 0)
  assert.equal(parse(head(5)).result, -REJECT.TOO_MANY_FIELDS)
  assert.ok(parse(head(8), { ...LIMITS, maxFields: 100 }).result > 0)
  assert.equal(parse(head(9), { ...LIMITS, maxFields: 100 }).result, -REJECT.TOO_MANY_FIELDS)
})

it('keeps Host and Content-Length in the form in which they are forwarded', () => {
  const { head, part } = parse('POST / HTTP/1.1\r\nHost: a:\r\nContent-Length: 0012\r\n\r\n')
  assert.equal(part(head.fields.valueStart(0), head.fields.valueEnd(0)), 'a')
  assert.equal(part(head.fields.valueStart(1), head.fields.valueEnd(1)), '12')
})
