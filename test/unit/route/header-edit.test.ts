import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FIELD, flags, writeBytes, writeFields } from '../../../src/http/index.ts'
import type { HeaderEditPlan } from '../../../src/route/config.ts'
import { compileHeaderEdit } from '../../../src/route/index.ts'
import { ParsedRequest } from '../../support/routes.ts'

function plan(edit: { remove?: string[]; set?: Record<string, string>; add?: Record<string, string> }): HeaderEditPlan {
  const lines = (fields: Record<string, string> = {}) => Object.entries(fields).map(([name, value]) => ({ name, value }))
  return { remove: edit.remove ?? [], set: lines(edit.set), add: lines(edit.add) }
}

function edited(edit: HeaderEditPlan, fields: readonly (readonly [string, string])[]): string[] {
  const { memory, head } = new ParsedRequest({ target: '/', host: 'x', fields })
  const compiled = compileHeaderEdit(edit, flags(FIELD.VIA))
  const arena = new Uint8Array(memory.length + 1000)
  arena.set(memory)
  compiled.mark(arena, head.fields)
  let end = writeFields(arena, memory.length, head, compiled.dropped)
  assert.equal(compiled.addedBytes, compiled.lines.length)
  end = writeBytes(arena, end, compiled.lines)
  return Buffer.from(arena.subarray(memory.length, end)).toString().split('\r\n').slice(0, -1)
}

describe('HeaderEdit', () => {
  const fields = [
    ['X-A', '1'],
    ['User-Agent', 'me'],
    ['x-a', '2'],
    ['X-B', '3'],
    ['Via', 'p'],
  ] as const

  it('removes well-known and other names in any case, and what is dropped anyway', () => {
    assert.deepEqual(edited(plan({ remove: ['x-a', 'user-agent'] }), fields), ['Host: x', 'X-B: 3'])
  })

  it('removes names that differ by a mark only, which some servers take for the same', () => {
    const spelled = [
      ['X_User', '1'],
      ['x.user', '2'],
      ['X-Users', '3'],
    ] as const
    assert.deepEqual(edited(plan({ remove: ['X-User'] }), spelled), ['Host: x', 'X-Users: 3'])
    assert.deepEqual(edited(plan({ set: { 'X-User': 'us' } }), spelled), ['Host: x', 'X-Users: 3', 'X-User: us'])
  })

  it('removes trailers under the same names', () => {
    const compiled = compileHeaderEdit(plan({ remove: ['X-User'] }), flags())
    const kept = compiled.keepTrailers(Buffer.from('X-Sum: 1\r\nx_user: root\r\nX-User: root\r\nX-End: \r\n'))
    assert.equal(Buffer.from(kept).toString(), 'X-Sum: 1\r\nX-End: \r\n')
    assert.equal(compiled.keepTrailers(new Uint8Array(0)).length, 0)
  })

  it('replaces all values with the one that is set, and adds beside those that came', () => {
    const result = edited(plan({ set: { 'X-A': 'new', 'User-Agent': 'us' }, add: { 'x-b': '4', 'X-C': '' } }), fields)
    assert.deepEqual(result, ['Host: x', 'X-B: 3', 'X-A: new', 'User-Agent: us', 'x-b: 4', 'X-C: '])
  })

  it('can be applied again to the same head', () => {
    const { memory, head } = new ParsedRequest({ target: '/', host: 'x', fields })
    const compiled = compileHeaderEdit(plan({ remove: ['x-a'] }), flags())
    compiled.mark(memory, head.fields)
    const ids = [...head.fields.ids]
    compiled.mark(memory, head.fields)
    assert.deepEqual([...head.fields.ids], ids)
  })

  it('refuses to touch framing, to lose or double Host, and values that would break the head', () => {
    const bad = [
      plan({ remove: ['content-length'] }),
      plan({ set: { 'Transfer-Encoding': 'chunked' } }),
      plan({ add: { Connection: 'close' } }),
      plan({ remove: ['host'] }),
      plan({ add: { Host: 'y' } }),
      plan({ set: { 'X-A': 'a\r\nX-B: b' } }),
      plan({ set: { 'X-A': 'a\0' } }),
      plan({ set: { 'X A': 'a' } }),
      plan({ set: { '': 'a' } }),
    ]
    for (const edit of bad) assert.throws(() => compileHeaderEdit(edit, flags()), { code: 'CONFIG_INVALID' }, JSON.stringify(edit))
    assert.doesNotThrow(() => compileHeaderEdit(plan({ set: { Host: 'internal.test' } }), flags()))
  })
})
