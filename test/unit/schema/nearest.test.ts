import assert from 'node:assert/strict'
import { it } from 'node:test'
import { editDistance, nearest, suggest } from '../../../src/schema/index.ts'

it('a slip of the finger is one step: a letter too many, too few, another one, or two swapped', () => {
  for (const word of ['timeouut', 'timeot', 'timeour', 'tiemout']) assert.equal(editDistance(word, 'timeout'), 1, word)
})

it('the word that is meant is found among many, in any case', () => {
  const known = ['algorithm', 'servers', 'check', 'limits', 'least-connections', 'round-robin']
  assert.equal(nearest('algoritm', known), 'algorithm')
  assert.equal(nearest('Server', known), 'servers')
  assert.equal(nearest('least-conections', known), 'least-connections')
})

it('a word that is like none is not taken for one', () => {
  assert.equal(nearest('x', ['y', 'ab']), undefined)
  assert.equal(nearest('persistence', ['check', 'limits']), undefined)
  assert.equal(nearest('toString', []), undefined)
})

it('the beginning of a single choice is that choice, whatever separators it has', () => {
  const known = ['least-connections', 'least-sessions', 'round-robin', 'weighted-round-robin']
  assert.equal(suggest('leastconn', known), 'did you mean "least-connections"?')
  assert.equal(suggest('least_conn', known), 'did you mean "least-connections"?')
  assert.equal(suggest('roundrobin', known), 'did you mean "round-robin"?')
  assert.match(suggest('least', known) ?? '', /^one of /)
})

it('very long words cost nothing', () => {
  assert.equal(editDistance('a'.repeat(65), 'a'.repeat(65)), Number.POSITIVE_INFINITY)
})

it('where nothing is like it, what there is is listed, if that is short', () => {
  assert.equal(suggest('portabel', ['uring', 'portable']), 'did you mean "portable"?')
  assert.equal(suggest('zzz', ['uring', 'portable']), 'one of "uring", "portable"')
  assert.equal(suggest('zzz', ['uring']), 'it can only be "uring"')
  assert.equal(
    suggest(
      'zzz',
      Array.from({ length: 17 }, (_, i) => `option${i}`),
    ),
    undefined,
  )
})
