import assert from 'node:assert/strict'
import { it } from 'node:test'
import { countGroups, judgeBacktracking } from '../../../src/schema/index.ts'

it('expressions that hostile text can hold up for ever are recognized', () => {
  for (const source of ['(a+)+$', '(a|a)*$', '(a|aa)+$', '([a-z]+)*\\d', '(\\w+\\s?)*$', '^(([a-z])+.)+[A-Z]([a-z])+$'])
    assert.equal(judgeBacktracking(source), 'exponential', source)
})

it('expressions that configurations are full of are not', () => {
  for (const source of ['^/item/[0-9]+$', '\\.(png|jpe?g|gif)$', '^/(en|de)/shop', '^v\\d+\\.\\d+$', '[^/]+/[^/]+', '^(a+b)+$'])
    assert.notEqual(judgeBacktracking(source), 'exponential', source)
})

it('those that are slow only over long text are told apart', () => {
  assert.equal(judgeBacktracking('^a*a*$'), 'polynomial')
  assert.equal(judgeBacktracking('^a+$'), 'harmless')
})

it('groups are counted as a rewrite counts them', () => {
  assert.deepEqual(['a', '(a)(?:b)(?<c>d)', '\\(a\\)', '([(])'].map(countGroups), [0, 2, 0, 1])
})
