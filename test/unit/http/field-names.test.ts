import assert from 'node:assert/strict'
import { it } from 'node:test'
import { equalsIgnoreCase, FIELD, FIELD_NAMES, fieldId } from '../../../src/http/index.ts'
import { place } from './bytes.ts'

function idOf(name: string): number {
  const { memory, start, end } = place(name)
  return fieldId(memory, start, end)
}

it('knows every well-known name in any case', () => {
  for (const [key, id] of Object.entries(FIELD)) {
    if (id === FIELD.OTHER) continue
    assert.equal(FIELD_NAMES[id].replaceAll('-', '_').toUpperCase(), key)
    assert.equal(idOf(FIELD_NAMES[id]), id)
    assert.equal(idOf(FIELD_NAMES[id].toUpperCase()), id)
    assert.equal(idOf(FIELD_NAMES[id].replace(/\b./g, (letter) => letter.toUpperCase())), id)
  }
  assert.equal(FIELD_NAMES.length, Object.keys(FIELD).length)
})

it('takes no other name for a well-known one', () => {
  for (const name of FIELD_NAMES.slice(1)) {
    for (let i = 0; i < name.length; i++) {
      assert.equal(idOf(`${name.slice(0, i)}*${name.slice(i + 1)}`), FIELD.OTHER)
      if (name !== 'te') assert.equal(idOf(name.slice(0, i) + name.slice(i + 1)), FIELD.OTHER, name)
    }
    assert.equal(idOf(`${name}x`), FIELD.OTHER)
  }
  for (const name of ['x', 'xy', 'content_length', 'etag', 'x-real-ip', '9', '']) assert.equal(idOf(name), FIELD.OTHER)
})

it('compares without case, for letters only', () => {
  const equals = (text: string, lowercase: string) => {
    const { memory, start, end } = place(text)
    return equalsIgnoreCase(memory, start, end, Buffer.from(lowercase))
  }
  assert.ok(equals('ChUnKeD', 'chunked'))
  assert.ok(equals('100-Continue', '100-continue'))
  assert.ok(!equals('100\rcontinue', '100-continue'))
  assert.ok(!equals('chunke', 'chunked'))
  assert.ok(!equals('chunkedd', 'chunked'))
  assert.ok(!equals('@', '`'))
})
