import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientAddress, parseIp } from '../../../src/core/index.ts'
import { parseRequestHead, RequestHead } from '../../../src/http/index.ts'
import { hashKeyFrom, NO_KEY } from '../../../src/pool/index.ts'
import type { Exchange } from '../../../src/proxy/exchange.ts'
import { RequestKeys } from '../../../src/proxy/request-key.ts'

const LIMITS = { maxLineBytes: 8192, maxHeadBytes: 16_384, maxFields: 100 }

interface Asked {
  readonly target?: string
  readonly fields?: string
  readonly client?: string
  readonly local?: string
}

/** The hash of a request's key. */
function keyOf(
  options: Record<string, string | number | boolean>,
  { target = '/', fields = '', client = '192.0.2.1', local = '10.0.0.1' }: Asked,
): number {
  const memory = Buffer.alloc(4096)
  const end = memory.write(`GET ${target} HTTP/1.1\r\nHost: test\r\n${fields}\r\n`, 'latin1')
  const request = new RequestHead(100)
  assert.equal(parseRequestHead(memory, 0, end, request, LIMITS), end)
  const address = new ClientAddress()
  parseIp(client, address)
  const connection = { local: { family: 4, host: local, port: 80 } }
  const exchange = {
    request,
    worker: { engine: { memory } },
    downstream: { client: address, connection, proxied: null },
  } as unknown as Exchange
  return new RequestKeys(exchange).keyHash(hashKeyFrom(options, 'app'))
}

const same = (options: Record<string, string | number | boolean>, one: Asked, other: Asked): boolean =>
  keyOf(options, one) === keyOf(options, other)

test('of an address the first bits count', () => {
  assert.ok(!same({ key: 'source' }, { client: '192.0.2.1' }, { client: '192.0.2.2' }))
  assert.ok(same({ key: 'source', prefixLength4: 24 }, { client: '192.0.2.1' }, { client: '192.0.2.254' }))
  assert.ok(!same({ key: 'source', prefixLength4: 24 }, { client: '192.0.2.1' }, { client: '192.0.3.1' }))
  assert.ok(same({ key: 'source' }, { client: '2001:db8::1' }, { client: '2001:db8::2:3:4:5' }))
  assert.ok(!same({ key: 'source', prefixLength6: 128 }, { client: '2001:db8::1' }, { client: '2001:db8::2' }))
  assert.ok(same({ key: 'source', prefixLength6: 33 }, { client: '2001:db8:8000::' }, { client: '2001:db8:ffff::' }))
  assert.ok(!same({ key: 'source', prefixLength6: 33 }, { client: '2001:db8:8000::' }, { client: '2001:db8:7000::' }))
  assert.ok(!same({ key: 'destination' }, { local: '10.0.0.1' }, { local: '10.0.0.2' }))
})

test('of a URI so many segments count, and the query where that is asked for', () => {
  assert.ok(same({ key: 'uri' }, { target: '/a/b?x' }, { target: '/a/b?y' }))
  assert.ok(!same({ key: 'uri', withQuery: true }, { target: '/a/b?x' }, { target: '/a/b?y' }))
  assert.ok(same({ key: 'uri', depth: 1 }, { target: '/a/b' }, { target: '/a/c' }))
  assert.ok(same({ key: 'uri', depth: 2 }, { target: '/a/b' }, { target: '/a/b/c' }))
  assert.ok(!same({ key: 'uri', depth: 2 }, { target: '/a/b/c' }, { target: '/a/c/c' }))
  assert.ok(!same({ key: 'uri', depth: 1, withQuery: true }, { target: '/a/b?x' }, { target: '/a/c?y' }))
  assert.ok(same({ key: 'uri' }, { target: 'http://test' }, { target: '/' }))
})

test('a header is found whatever its case, known or not; the first cookie and parameter of a name count', () => {
  assert.ok(same({ key: 'header:x-user' }, { fields: 'X-User: ann\r\n' }, { fields: 'A: b\r\nx-USER:  ann \r\n' }))
  assert.ok(same({ key: 'header:User-Agent' }, { fields: 'user-agent: x\r\n' }, { fields: 'User-Agent: x\r\n' }))
  assert.ok(!same({ key: 'header:x-user' }, { fields: 'X-User: ann\r\n' }, { fields: 'X-User: bob\r\n' }))
  assert.ok(same({ key: 'cookie:sid' }, { fields: 'Cookie: a=1; sid=7\r\n' }, { fields: 'Cookie: sid=7; sid=8\r\n' }))
  assert.ok(same({ key: 'query:id' }, { target: '/?id=7&id=8' }, { target: '/x?a&id=7' }))
})

test('a request without the key says so', () => {
  for (const key of ['header:x-user', 'cookie:sid', 'query:id']) assert.equal(keyOf({ key }, {}), NO_KEY)
})
