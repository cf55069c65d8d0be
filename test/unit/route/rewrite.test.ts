import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RewritePlan } from '../../../src/route/config.ts'
import { compileRewrite } from '../../../src/route/index.ts'
import { ParsedRequest, type TestRequest } from '../../support/routes.ts'

function rewritten(plan: RewritePlan, target: string, more: Partial<TestRequest> = {}): string {
  const { memory, head } = new ParsedRequest({ target, host: 'x', ...more })
  const rewrite = compileRewrite(plan)
  const length = rewrite.prepare(memory, head)
  const arena = new Uint8Array(memory.length + length + 8)
  arena.set(memory)
  const end = rewrite.write(arena, memory.length, head)
  assert.equal(end - memory.length, length, 'prepare() says how many bytes are written')
  return Buffer.from(arena.subarray(memory.length, end)).toString('latin1')
}

const prefix = (prefix: string, replacement: string): RewritePlan => ({ kind: 'prefix', prefix, replacement })
const regex = (regex: string, replacement: string): RewritePlan => ({ kind: 'regex', regex, replacement })

describe('Rewrite: prefix', () => {
  it('replaces the beginning of the path and keeps the query', () => {
    assert.equal(rewritten(prefix('/api/', '/v1/'), '/api/users?x=/api/&y='), '/v1/users?x=/api/&y=')
    assert.equal(rewritten(prefix('/api', ''), '/api/users'), '/users')
    assert.equal(rewritten(prefix('/api/', ''), '/api/users?'), '/users?')
    assert.equal(rewritten(prefix('/api', ''), '/api'), '/')
    assert.equal(rewritten(prefix('/', '/app/'), '/x'), '/app/x')
    assert.equal(rewritten(prefix('/', '/app/'), 'http://h'), '/app/')
    assert.equal(rewritten(prefix('/', '/app/'), 'http://h?q'), '/app/?q')
    assert.equal(rewritten(prefix('/old-', '/new-'), '/old-x'), '/new-x')
  })

  it('finds the prefix however the path is spelled', () => {
    assert.equal(rewritten(prefix('/api/', '/v1/'), '/%61pi//x%2fy'), '/v1/x%2Fy')
  })

  it('leaves a path as it came where the prefix is not there', () => {
    assert.equal(rewritten(prefix('/api/', '/v1/'), '/apx/%7e//{?a'), '/apx/%7e//{?a')
    assert.equal(rewritten(prefix('/api/', '/v1/'), 'http://h?a'), '/?a')
    assert.equal(rewritten(prefix('/', '/v1/'), '*', { method: 'OPTIONS' }), '*')
  })

  it('never makes a dot segment or a second slash in front', () => {
    assert.equal(rewritten(prefix('/a', ''), '/a../x'), '/a../x')
    assert.equal(rewritten(prefix('/a', '/b/'), '/a../x'), '/a../x')
    assert.equal(rewritten(prefix('/a', '/'), '/a/evil.test'), '/evil.test')
  })

  it('refuses what cannot be in a path', () => {
    assert.throws(() => compileRewrite(prefix('/a', '/b?c=')), { code: 'CONFIG_INVALID' })
    assert.throws(() => compileRewrite(prefix('/a', '/b\r\nX: y')), { code: 'CONFIG_INVALID' })
    assert.throws(() => compileRewrite(prefix('a', '/b')), { code: 'CONFIG_INVALID' })
    assert.throws(() => compileRewrite(prefix('/../a', '/b')), { code: 'CONFIG_INVALID' })
  })
})

describe('Rewrite: regular expression', () => {
  it('replaces what matches, with captures', () => {
    assert.equal(rewritten(regex('^/u/(\\d+)/(.*)$', '/users/$1/$2'), '/u/42/a/b?q'), '/users/42/a/b?q')
    assert.equal(rewritten(regex('\\.php$', ''), '/x.php?y=z.php'), '/x?y=z.php')
    assert.equal(rewritten(regex('^/(.*)$', '$1'), '/a/b'), '/a/b')
  })

  it('encodes what a replacement adds, and drops a result that has dot segments', () => {
    assert.equal(rewritten(regex('^/x', '/é'), '/x/y'), '/%C3%A9/y')
    assert.equal(rewritten(regex('^/x', '/'), '/x../y'), '/x../y')
    assert.equal(rewritten(regex('^/(.*)', '/%$1'), '/2e2e/y'), '/.2e/y')
    assert.equal(rewritten(regex('^/(.*)', '/%$1'), '/2e/y'), '/2e/y')
  })

  it('does not let a replacement multiply a path without end', () => {
    const path = `/${'a'.repeat(5000)}`
    assert.equal(rewritten(regex('^(.*)$', '$1$1$1$1'), path), path)
  })
})
