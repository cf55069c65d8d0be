import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Blocks } from '../../../../src/engine/index.ts'
import { ReceiveBuffers } from '../../../../src/engine/uring/receive-buffers.ts'

const BLOCK = 4096
const LOW = 0x9000_0000
const HIGH = 0x7f12

/** Stands in for the kernel: takes provided buffers in order. */
class Kernel {
  readonly ring: ArrayBuffer
  readonly #words: Uint32Array
  readonly #halves: Uint16Array
  #head = 0

  constructor(entries: number) {
    this.ring = new ArrayBuffer(entries * 16)
    this.#words = new Uint32Array(this.ring)
    this.#halves = new Uint16Array(this.ring)
  }

  /** The id and the arena's offset of the next buffer, or undefined when there is none. */
  take(): { id: number; start: number } | undefined {
    if (this.#head === this.#halves[7]) return undefined
    const at = (this.#head & (this.#words.length / 4 - 1)) * 4
    assert.equal(this.#words[at + 1], HIGH)
    assert.equal(this.#words[at + 2], BLOCK)
    this.#head = (this.#head + 1) & 0xffff
    return { id: this.#halves[2 * at + 6], start: this.#words[at] - LOW }
  }
}

function make(blockCount: number, entries: number) {
  const kernel = new Kernel(entries)
  const blocks = new Blocks(new Uint8Array(blockCount * BLOCK), BLOCK)
  const buffers = new ReceiveBuffers(kernel.ring, blocks, LOW, HIGH)
  return { kernel, blocks, buffers }
}

test('provides the same block again when nobody held it', () => {
  const { kernel, blocks, buffers } = make(64, 4)
  const free = blocks.free
  for (let i = 0; i < 100_000; i++) {
    const { id, start } = kernel.take()!
    assert.equal(buffers.consume(id), start)
    buffers.renew(id)
  }
  assert.equal(blocks.free, free)
  assert.equal(buffers.available, 4)
})

test('provides a fresh block in place of one that is held', () => {
  const { kernel, blocks, buffers } = make(64, 4)
  const held = new Set<number>()
  for (let i = 0; i < 40; i++) {
    const { id, start } = kernel.take()!
    assert.equal(held.has(start), false, 'a held block was provided')
    blocks.hold(buffers.consume(id))
    held.add(start)
    buffers.renew(id)
  }
  assert.equal(buffers.available, 4)
  for (const start of held) blocks.release(start)
})

test('with the arena used up ids are vacant, until blocks come back', () => {
  const { kernel, blocks, buffers } = make(16, 4)
  const held: number[] = []
  for (let each = kernel.take(); each !== undefined; each = kernel.take()) {
    blocks.hold(buffers.consume(each.id))
    held.push(each.start)
    buffers.renew(each.id)
  }
  assert.equal(buffers.available, 0)
  assert.equal(buffers.vacantCount, 4)
  assert.equal(blocks.free, 2, 'one block in sixteen is left to decrypting, and one to sending')
  buffers.refill()
  assert.equal(buffers.vacantCount, 4)
  blocks.release(held.pop()!)
  blocks.release(held.pop()!)
  buffers.refill()
  assert.equal(buffers.vacantCount, 2)
  assert.equal(buffers.available, 2)
  assert.notEqual(kernel.take(), undefined)
})

test('begins with 64 buffers and doubles them each time the kernel runs out, up to the limit', () => {
  const { kernel, buffers } = make(4096, 256)
  const seen: number[] = []
  for (let round = 0; round < 4; round++) {
    const ids: number[] = []
    for (let each = kernel.take(); each !== undefined; each = kernel.take()) ids.push(each.id)
    for (const id of ids) buffers.consume(id)
    seen.push(ids.length)
    buffers.exhausted()
    for (const id of ids) buffers.renew(id)
  }
  assert.deepEqual(seen, [64, 128, 256, 256])
})

test('takes at most half of a small arena', () => {
  const { blocks, buffers } = make(8, 64)
  assert.equal(buffers.available, 4)
  buffers.exhausted()
  assert.equal(blocks.free, 4)
})
