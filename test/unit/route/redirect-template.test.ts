import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TemplatePart } from '../../../src/route/config.ts'
import { RedirectTemplate } from '../../../src/route/index.ts'
import { ParsedRequest, type TestRequest } from '../../support/routes.ts'

function parts(template: string): TemplatePart[] {
  return template
    .split(/(\{\w+\})/)
    .filter((piece) => piece !== '')
    .map((piece) =>
      /^\{\w+\}$/.test(piece) ? { kind: piece.slice(1, -1) as 'uri' | 'host' | 'path' | 'query' } : { kind: 'text', text: piece },
    )
}

function location(template: string, request: TestRequest): string {
  const { memory, head } = new ParsedRequest(request)
  const redirect = new RedirectTemplate(parts(template))
  const room = redirect.room(head)
  const out = new Uint8Array(room + 3)
  const end = redirect.write(out, 3, memory, head)
  assert.ok(end - 3 <= room, 'room() is enough')
  return Buffer.from(out.subarray(3, end)).toString('latin1')
}

describe('RedirectTemplate', () => {
  it('puts parts of the request into the text', () => {
    const request: TestRequest = { target: '/a/b?c=d&e', host: 'Shop.test:8080' }
    assert.equal(location('https://new.test{uri}', request), 'https://new.test/a/b?c=d&e')
    assert.equal(location('https://{host}{path}', request), 'https://Shop.test:8080/a/b')
    assert.equal(location('/search?from={path}&{query}', request), '/search?from=/a/b&c=d&e')
  })

  it('knows requests without a query, a path or a host', () => {
    assert.equal(location('//n.test{uri}', { target: '/a', host: 'x' }), '//n.test/a')
    assert.equal(location('//n.test{uri}', { target: '/a?', host: 'x' }), '//n.test/a?')
    assert.equal(location('//n.test{uri}', { target: 'http://y?b', host: 'x' }), '//n.test/?b')
    assert.equal(location('//{host}{uri}', { target: 'http://y', host: 'x' }), '//y/')
    assert.equal(location('//{host}/', { target: '/' }), '///')
    assert.equal(location('{uri}', { target: '*', method: 'OPTIONS', host: 'x' }), '/')
  })

  it('keeps percent-encoding as it came, so that no line break comes out of it', () => {
    assert.equal(location('//n.test{uri}', { target: '/%0d%0aSet-Cookie:%20a?%0D%0A', host: 'x' }), '//n.test/%0d%0aSet-Cookie:%20a?%0D%0A')
  })

  it('encodes what cannot stand in a URI', () => {
    assert.equal(location('//n.test{uri}', { target: '/<"`{|}^>?<"\\>', host: 'x' }), '//n.test/%3C%22%60%7B%7C%7D%5E%3E?%3C%22%5C%3E')
    assert.equal(location('/é {path}', { target: '/', host: 'x' }), '/%C3%A9%20/')
  })

  it('refuses text with control characters', () => {
    assert.throws(() => new RedirectTemplate(parts('/a\r\nX: y')), { code: 'CONFIG_INVALID' })
  })
})
