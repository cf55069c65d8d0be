import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Blocks } from '../../../../src/engine/index.ts'
import { Stash } from '../../../../src/proxy/stream/stash.ts'

const BLOCK = 1024 * 32

function parts() {
  const blocks = new Blocks(new Uint8Array(8 * BLOCK), BLOCK)
  const sent: Buffer[] = []
  const sink = { send: (start: number, end: number) => void sent.push(Buffer.from(blocks.memory.subarray(start, end))) }
  return { blocks, stash: new Stash(blocks), sent, sink }
}

/** A block of its own with these bytes, as the kernel delivers them; the stash alone keeps it. */
function receive({ blocks, stash }: ReturnType<typeof parts>, bytes: Uint8Array): void {
  const at = blocks.take()
  blocks.memory.set(bytes, at)
  stash.push(at, at + bytes.length)
  blocks.release(at)
}

test('a thousand single bytes, each in a block of its own, keep one block, and come out in order', () => {
  const test = parts()
  for (let i = 0; i < 1000; i++) receive(test, Uint8Array.of(i & 255))
  assert.equal(test.stash.bytes, 1000)
  assert.equal(test.blocks.free, 7)
  test.stash.drain(test.sink)
  assert.deepEqual(Buffer.concat(test.sent), Buffer.from(Array.from({ length: 1000 }, (_, i) => i & 255)))
  assert.equal(test.sent.length, 1)
  assert.deepEqual([test.stash.bytes, test.blocks.free], [0, 8])
})

test('long pieces stay where they are, between short ones', () => {
  const test = parts()
  const pieces = [Buffer.from('short'), Buffer.alloc(20_000, 'l'), Buffer.from('tail'), Buffer.alloc(4096, 'm'), Buffer.from('!')]
  for (const piece of pieces) receive(test, piece)
  test.stash.drain(test.sink)
  assert.deepEqual(Buffer.concat(test.sent), Buffer.concat(pieces))
  assert.equal(test.blocks.free, 8)
})

test('what is not wanted any more gives its blocks back', () => {
  const test = parts()
  receive(test, Buffer.alloc(30_000))
  receive(test, Buffer.from('x'))
  test.stash.clear()
  assert.deepEqual([test.stash.bytes, test.blocks.free], [0, 8])
})
