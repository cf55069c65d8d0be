import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseDecimal, writeDecimal } from '../../../src/http/index.ts'
import { place, written } from './bytes.ts'

const NUMBERS = [0, 1, 9, 10, 99, 100, 12_345, 2 ** 31, 2 ** 32, 10 ** 15 - 1, 10 ** 15, Number.MAX_SAFE_INTEGER]

function parse(text: string): number {
  const { memory, start, end } = place(text)
  return parseDecimal(memory, start, end)
}

it('writes numbers as JavaScript does, and reads them back', () => {
  for (const value of NUMBERS) {
    assert.equal(
      written((memory, at) => writeDecimal(memory, at, value)),
      String(value),
    )
    assert.equal(parse(String(value)), value)
  }
})

it('reads digits only, up to 2^53 - 1 and 19 digits', () => {
  for (const text of [
    '',
    '+1',
    '-1',
    ' 1',
    '1 ',
    '1a',
    '0x1',
    '1e1',
    '1.0',
    '1_0',
    '９',
    '9007199254740992',
    '18446744073709551616',
    '0'.repeat(20),
  ]) {
    assert.equal(parse(text), -1, text)
  }
  assert.equal(parse('0000000000000000042'), 42)
})
