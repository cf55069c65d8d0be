import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Blocks } from '../../../src/engine/blocks.ts'

const BLOCK_BYTES = 64

function blocks(count: number): Blocks {
  return new Blocks(new Uint8Array(count * BLOCK_BYTES), BLOCK_BYTES)
}

describe('the blocks of the arena', () => {
  it('hands out every block once, then -1', () => {
    const arena = blocks(4)
    const offsets = Array.from({ length: 4 }, () => arena.take())
    assert.deepEqual(
      [...offsets].sort((a, b) => a - b),
      [0, 64, 128, 192],
    )
    assert.equal(arena.free, 0)
    assert.equal(arena.take(), -1)
  })

  it('is scarce while less than half of the blocks are free', () => {
    const arena = blocks(4)
    const taken = [arena.take(), arena.take()]
    assert.equal(arena.isScarce, false)
    taken.push(arena.take())
    assert.equal(arena.isScarce, true)
    arena.release(taken[2])
    assert.equal(arena.isScarce, false)
  })

  it('frees a block when the last hold is released, by any offset inside it', () => {
    const arena = blocks(2)
    const offset = arena.take()
    arena.hold(offset + 63)
    assert.equal(arena.references(offset + 1), 2)
    arena.release(offset + 5)
    assert.equal(arena.free, 1)
    arena.release(offset)
    assert.equal(arena.free, 2)
  })

  it('takes the block that was freed last first', () => {
    const arena = blocks(8)
    const taken = [arena.take(), arena.take(), arena.take()]
    arena.release(taken[0])
    arena.release(taken[2])
    assert.equal(arena.take(), taken[2])
    assert.equal(arena.take(), taken[0])
  })

  it('refuses a release too many', () => {
    const arena = blocks(2)
    const offset = arena.take()
    arena.release(offset)
    assert.throws(() => arena.release(offset), /released more often/)
  })

  it('refuses a block size that is no power of two', () => {
    assert.throws(() => new Blocks(new Uint8Array(300), 100), RangeError)
  })
})
