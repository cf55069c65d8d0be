import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeOptions } from '../../../src/config/index.ts'

const all = describeOptions()

test('every option is described, but for names that an operator chooses', () => {
  assert.deepEqual(
    all.filter(({ description, name }) => description === '' && name !== '<name>').map(({ path }) => path),
    [],
  )
})

test('every option stands once, whatever unions it is in', () => {
  const anchors = all.map(({ anchor }) => anchor)
  assert.deepEqual(
    anchors.filter((anchor, index) => anchors.indexOf(anchor) !== index),
    [],
  )
})

test('an option that only some algorithms have names them', () => {
  const capacity = all.find(({ path }) => path === 'pools.<name>.algorithm.capacity')
  assert.match(capacity?.description ?? '', /^Of locality, locality-replicated: /)
})
