import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoutePlan } from '../../../src/route/config.ts'
import { checkRoute } from '../../../src/route/index.ts'
import { type Match, plans } from '../../support/routes.ts'

function route(match: Match, more: Partial<RoutePlan> = {}): RoutePlan {
  const base = { action: { kind: 'pool', pool: 'app' }, requestHeaders: undefined, responseHeaders: undefined, rewrite: undefined } as const
  return { ...plans(match)[0], ...base, ...more }
}

describe('checkRoute', () => {
  it('finds nothing wrong with a good route', () => {
    assert.deepEqual(checkRoute(route({ host: 'x', path: ['/a/*', '~ ^/b'] })), [])
  })

  it('says where and what is wrong, all at once', () => {
    const found = checkRoute(
      route(
        { path: ['/a', '/a/../b', '~ ('] },
        {
          rewrite: { kind: 'prefix', prefix: '/a', replacement: '/b?c' },
          requestHeaders: { remove: ['host'], set: [], add: [] },
          responseHeaders: { remove: [], set: [{ name: 'Content-Length', value: '1' }], add: [] },
          action: { kind: 'redirect', status: 302, to: [{ kind: 'text', text: '/\r\n' }] },
        },
      ),
    )
    assert.deepEqual(
      found.map(({ at }) => at.join('.')),
      ['match.path.1', 'match.path.2', 'rewrite', 'requestHeaders', 'responseHeaders', 'redirect.to'],
    )
    assert.match(found[0].message, /"\/a\/\.\.\/b"/)
  })
})
