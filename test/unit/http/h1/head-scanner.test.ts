import assert from 'node:assert/strict'
import { it } from 'node:test'
import { HeadScanner } from '../../../../src/http/index.ts'
import { place } from '../bytes.ts'

const LIMITS = { maxLineBytes: 20, maxHeadBytes: 60, maxFields: 10 }

/** After which bytes, arriving one by one, parsing is worth its while. */
function worthwhile(text: string): string {
  const scanner = new HeadScanner()
  const { memory, start, end } = place(text)
  let marks = ''
  for (let at = start + 1; at <= end; at++) marks += scanner.find(memory, start, at, LIMITS) === 0 ? '.' : '!'
  return marks
}

it('calls for a parse behind each line end and nowhere else', () => {
  assert.equal(worthwhile('GET / HTTP/1.1\r\nA: b\r\n\r\n'), '...............!.....!.!')
})

it('calls for a parse behind a bare CR or LF and a control character', () => {
  assert.equal(worthwhile('ab\rc'), '...!')
  assert.equal(worthwhile('ab\nc'), '..!.')
  assert.equal(worthwhile('a\0b\tc'), '.!...')
})

it('calls for a parse when the first line or the head is too long', () => {
  assert.equal(worthwhile('a'.repeat(23)), `${'.'.repeat(21)}!!`)
  assert.equal(worthwhile(`a\r\n${'b'.repeat(60)}`), `..!${'.'.repeat(56)}!!!!`)
})

it('goes on where it was when the head has moved', () => {
  const scanner = new HeadScanner()
  const here = place('GET / HT')
  assert.equal(scanner.find(here.memory, here.start, here.end, LIMITS), 0)
  const there = place('GET / HTTP/1.1\r', 500)
  assert.equal(scanner.find(there.memory, there.start, there.end, LIMITS), 0)
  there.memory[there.end] = 0x0a
  assert.equal(scanner.find(there.memory, there.start, there.end + 1, LIMITS), there.end + 1)
})

it('begins anew after reset', () => {
  const scanner = new HeadScanner()
  const { memory, start, end } = place('GET / HTTP/1.1\r\n')
  assert.equal(scanner.find(memory, start, end, LIMITS), end)
  assert.equal(scanner.find(memory, start, end, LIMITS), 0)
  scanner.reset()
  assert.equal(scanner.find(memory, start, end, LIMITS), end)
})
