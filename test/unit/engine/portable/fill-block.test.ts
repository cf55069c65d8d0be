import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Blocks } from '../../../../src/engine/blocks.ts'
import { FillBlock } from '../../../../src/engine/portable/fill-block.ts'

const BLOCK_BYTES = 64

function setUp(count = 2) {
  const blocks = new Blocks(new Uint8Array(count * BLOCK_BYTES), BLOCK_BYTES)
  return { blocks, fill: new FillBlock(blocks) }
}

describe('the block that is being filled', () => {
  it('lays pieces one behind the other', () => {
    const { fill } = setUp()
    const first = fill.room(10)
    fill.advance(10)
    assert.equal(fill.room(54), first + 10)
    fill.advance(54)
    assert.notEqual(fill.room(1), first + 64)
  })

  it('takes a fresh block when a piece does not fit, and lets the old one go', () => {
    const { blocks, fill } = setUp()
    const first = fill.room(40)
    fill.advance(40)
    blocks.hold(first)
    const second = fill.room(40)
    assert.notEqual(first, second)
    assert.equal(blocks.references(first), 1)
    blocks.release(first)
    assert.equal(blocks.free, 1)
  })

  it('offers a whole block and no more, and -1 when none is left', () => {
    const { blocks, fill } = setUp(1)
    assert.equal(fill.room(BLOCK_BYTES + 1), -1)
    const at = fill.room(BLOCK_BYTES)
    fill.advance(BLOCK_BYTES)
    blocks.hold(at)
    assert.equal(fill.room(1), -1)
    blocks.release(at)
    assert.equal(fill.room(1), at)
  })

  it('keeps no block when nothing in it is held', () => {
    const { blocks, fill } = setUp()
    const at = fill.room(8)
    fill.advance(8)
    blocks.hold(at)
    fill.settle()
    assert.equal(blocks.free, 1)
    blocks.release(at)
    fill.settle()
    assert.equal(blocks.free, 2)
    fill.settle()
    assert.equal(blocks.free, 2)
  })
})
