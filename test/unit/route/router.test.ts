import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_ROUTE, PATH_REFUSED, Router } from '../../../src/route/index.ts'
import { type Match, match, ParsedRequest, plans, type TestRequest } from '../../support/routes.ts'

function router(...matches: Match[]): Router {
  return new Router(plans(...matches))
}

function expectAll(router: Router, expected: readonly (readonly [TestRequest, number])[]): void {
  for (const [request, index] of expected) assert.equal(match(router, request), index, JSON.stringify(request))
}

const at = (host: string, target = '/'): TestRequest => ({ host, target })

describe('Router: order', () => {
  it('takes the first route that matches, however specific a later one is', () => {
    const routes = router({ path: '/a/*' }, { host: 'shop.test', path: '/a/b' }, { host: 'shop.test' }, {})
    expectAll(routes, [
      [at('shop.test', '/a/b'), 0],
      [at('shop.test', '/b'), 2],
      [at('other.test', '/b'), 3],
    ])
  })

  it('goes on with the next candidate where a predicate outside the index fails', () => {
    const routes = router({ path: '/a', method: ['POST'] }, { path: '/a', header: { 'x-canary': '1' } }, { path: '/a' })
    expectAll(routes, [
      [{ host: 'x', target: '/a', method: 'POST' }, 0],
      [{ host: 'x', target: '/a', fields: [['X-Canary', '1']] }, 1],
      [at('x', '/a'), 2],
    ])
  })

  it('says when no route matches', () => {
    assert.equal(match(router({ path: '/a' }), at('x', '/b')), NO_ROUTE)
    assert.equal(match(router(), at('x', '/')), NO_ROUTE)
  })
})

describe('Router: hosts', () => {
  const routes = router({ host: 'shop.test' }, { host: '*.shop.test' }, { host: ['[::1]', '127.0.0.1'] }, { host: '*.test' }, {})

  it('compares names without regard to case, port and final dot', () => {
    for (const host of ['shop.test', 'SHOP.test', 'shop.test:8080', 'Shop.Test.:80', 'shop.test.'])
      assert.equal(match(routes, at(host)), 0, host)
  })

  it('matches a wildcard with names below it at any depth, and not with the name itself', () => {
    expectAll(routes, [
      [at('a.shop.test'), 1],
      [at('a.b.SHOP.test.'), 1],
      [at('ashop.test'), 3],
      [at('test'), 4],
      [at('a.shop.test.example'), 4],
    ])
  })

  it('knows IP addresses, and takes a request without a host to routes that ask for none', () => {
    expectAll(routes, [
      [at('[::1]:8443'), 2],
      [at('127.0.0.1'), 2],
      [{ target: '/' }, 4],
    ])
  })

  it('takes the authority of an absolute target before the Host field', () => {
    assert.equal(match(routes, at('other', 'http://shop.test/x')), 0)
  })

  it('does not mistake a host that begins with a dot for a wildcard', () => {
    assert.equal(match(routes, at('.shop.test')), 3)
    assert.equal(match(router({ host: '*.shop.test' }), at('.shop.test')), NO_ROUTE)
  })
})

describe('Router: paths', () => {
  it('knows exact paths, prefixes and regular expressions', () => {
    const routes = router({ path: '/img' }, { path: '/img/*' }, { path: '~ \\.php$' }, { path: '~ ^/v(\\d+)/' }, { path: '/im*' })
    expectAll(routes, [
      [at('x', '/img'), 0],
      [at('x', '/img?a=/img/'), 0],
      [at('x', '/img/'), 1],
      [at('x', '/img/a.png'), 1],
      [at('x', '/a/b.php?x'), 2],
      [at('x', '/v12/x'), 3],
      [at('x', '/vx/x'), NO_ROUTE],
      [at('x', '/images'), 4],
      [at('x', '/IMG'), NO_ROUTE],
    ])
  })

  it('reads a path in one way, however it is spelled', () => {
    const routes = router({ path: '/admin' }, { path: '/admin/*' }, { path: '/caf%c3%a9' }, {})
    for (const target of ['/admin', '/%61dmin', '//admin', '///admin', '/%61%64%6D%69%6e', 'http://x//admin'])
      assert.equal(match(routes, at('x', target)), 0, target)
    for (const target of ['/admin/', '/admin//x', '//%61dmin/x', '/admin/%2e%2Ex']) assert.equal(match(routes, at('x', target)), 1, target)
    assert.equal(match(routes, at('x', '/caf%C3%A9')), 2)
    assert.equal(match(routes, at('x', '/admin%2Fx')), 3)
  })

  it('refuses paths with dot segments in any disguise', () => {
    const routes = router({ path: '/admin' }, {})
    const targets = [
      '/x/../admin',
      '/./admin',
      '/admin/.',
      '/admin/..',
      '/..',
      '/%2e%2e/admin',
      '/x/%2E./admin',
      '/x/.%2e',
      '/x/..%2fadmin',
      '/x%2F..%2Fadmin',
    ]
    targets.push(
      '/x/..%5Cadmin',
      '/x%5c..%5cadmin',
      '/x/..;/admin',
      '/x/..;a=b/admin',
      '/x/.;',
      '//..//admin',
      '/x/..//admin',
      '/x/..%3Badmin',
    )
    for (const target of targets) assert.equal(match(routes, at('x', target)), PATH_REFUSED, target)
    for (const target of ['/.well-known/x', '/...', '/a..', '/..a', '/a./b', '/a?/../x', '/a;..', '/.%2e.'])
      assert.equal(match(routes, at('x', target)), 1, target)
  })

  it('drops surplus slashes at the beginning of the target, so that a server cannot take them for a host', () => {
    const routes = router({})
    for (const [target, kept] of [
      ['//evil.test/admin?q', '/evil.test/admin?q'],
      ['////', '/'],
      ['/a//b', '/a//b'],
    ]) {
      const { memory, head, client } = new ParsedRequest(at('x', target))
      assert.equal(routes.match(memory, head, client), 0)
      assert.equal(Buffer.from(memory.subarray(head.targetStart, head.targetEnd)).toString(), kept)
    }
  })

  it('takes an empty path for "/"', () => {
    const routes = router({ path: '/' })
    assert.equal(match(routes, at('x', 'http://x')), 0)
    assert.equal(match(routes, at('x', 'http://x?a=b')), 0)
  })

  it('leads a request for "*" to routes that ask for no path only', () => {
    const routes = router({ path: '/*' }, { path: '~ .' }, { path: '*', host: 'x' }, {})
    assert.equal(match(routes, { method: 'OPTIONS', host: 'x', target: '*' }), 2)
    assert.equal(match(routes, { method: 'OPTIONS', host: 'y', target: '*' }), 3)
  })

  it('normalises the patterns of the configuration too, and refuses those that nothing can match', () => {
    assert.equal(match(router({ path: '/café/%7ejoe' }), at('x', '/caf%C3%A9/~joe')), 0)
    assert.equal(match(router({ path: '/.*' }), at('x', '/.git')), 0)
    for (const path of ['/a/../b', 'a', '/a\\b', '/%zz', '/./*']) assert.throws(() => router({ path }), { code: 'CONFIG_INVALID' }, path)
  })
})

describe('Router: other predicates', () => {
  it('knows methods, also those without a number, and their case', () => {
    const routes = router({ method: ['GET', 'PURGE'] }, { method: ['OTHER'] }, {})
    const by = (method: string): TestRequest => ({ method, host: 'x', target: '/' })
    expectAll(routes, [
      [by('GET'), 0],
      [by('PURGE'), 0],
      [by('purge'), 2],
      [by('OTHER'), 1],
      [by('POST'), 2],
    ])
  })

  it('knows fields: exact, regular expression, there, not there; any of repeated ones', () => {
    const routes = router({ header: { 'x-a': '1', accept: '~ ^text/' } }, { header: { 'x-a': '*' } }, { header: { 'x-b': '!' } })
    const having = (...fields: (readonly [string, string])[]): TestRequest => ({ host: 'x', target: '/', fields })
    expectAll(routes, [
      [having(['X-A', '1'], ['Accept', 'text/html']), 0],
      [having(['X-A', '0'], ['x-a', '1'], ['accept', 'a/b'], ['accept', 'text/x']), 0],
      [having(['X-A', '1']), 1],
      [having(['x-a', '']), 1],
      [having(), 2],
      [having(['x-b', '']), NO_ROUTE],
    ])
  })

  it('knows cookies, and query parameters decoded', () => {
    const routes = router(
      { cookie: { beta: 'yes' } },
      { query: { 'a b': 'c&d' } },
      { query: { v: '~ ^é+$' } },
      { query: { debug: '*' } },
      { cookie: { x: '!' } },
    )
    const cookie = (value: string, target = '/'): TestRequest => ({ host: 'x', target, fields: [['Cookie', value]] })
    expectAll(routes, [
      [cookie('a=b; beta=yes'), 0],
      [cookie('Beta=yes'), 4],
      [at('x', '/?a+b=c%26d'), 1],
      [at('x', '/?a+b=0&a%20b=c%26d'), 1],
      [at('x', '/?v=%C3%a9%C3%A9'), 2],
      [at('x', '/?%64ebug'), 3],
      [cookie('x=1', '/?debugger=1'), NO_ROUTE],
    ])
  })

  it('knows the address of the client', () => {
    const routes = router({ client: ['10.0.0.0/8', '2001:db8::/32'] }, { client: ['::1'] })
    const from = (client: string): TestRequest => ({ host: 'x', target: '/', client })
    expectAll(routes, [
      [from('10.1.2.3'), 0],
      [from('::ffff:10.1.2.3'), 0],
      [from('2001:db8::5'), 0],
      [from('::1'), 1],
      [from('192.0.2.1'), NO_ROUTE],
      [from('-'), NO_ROUTE],
    ])
  })
})

describe('Router: explain', () => {
  it('names the predicates that failed, with what was expected and what was there', () => {
    const routes = router(
      { host: '*.shop.test', path: ['/a', '/b/*'], method: ['POST'] },
      { client: ['10.0.0.0/8'], header: { 'x-a': '1' } },
      {},
    )
    const { memory, head, client } = new ParsedRequest(at('a.shop.test', '/%63'))
    const explained = routes.explain(memory, head, client)
    assert.deepEqual(explained[0].predicates, [
      { predicate: 'host', expected: '*.shop.test', actual: 'a.shop.test', holds: true },
      { predicate: 'path', expected: '/a or /b/*', actual: '/c', holds: false },
      { predicate: 'method', expected: 'POST', actual: 'GET', holds: false },
    ])
    assert.deepEqual(explained[1].predicates[0], { predicate: 'client', expected: '10.0.0.0/8', actual: '192.0.2.1', holds: false })
    assert.deepEqual(
      explained.map((route) => route.matches),
      [false, false, true],
    )
  })
})
