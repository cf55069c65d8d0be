import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Blocks } from '../../../src/engine/blocks.ts'
import { BumpBlock } from '../../../src/engine/bump-block.ts'

const BLOCK_BYTES = 64

function setUp(count = 2) {
  const blocks = new Blocks(new Uint8Array(count * BLOCK_BYTES), BLOCK_BYTES)
  return { blocks, bump: new BumpBlock(blocks) }
}

describe('the bump block', () => {
  it('lays pieces that are held one behind the other', () => {
    const { blocks, bump } = setUp()
    const first = bump.room(10)
    bump.advance(10)
    blocks.hold(first)
    assert.equal(bump.room(54), first + 10)
    assert.equal(bump.cursor, first + 10)
    bump.advance(54)
    assert.equal(bump.room(1) % BLOCK_BYTES, 0)
  })

  it('begins again at its start when no piece is held', () => {
    const { bump } = setUp()
    const first = bump.room(10)
    bump.advance(10)
    assert.equal(bump.room(10), first)
  })

  it('takes a fresh block when a piece does not fit, and lets the old one go', () => {
    const { blocks, bump } = setUp()
    const first = bump.room(40)
    bump.advance(40)
    blocks.hold(first)
    const second = bump.room(40)
    assert.notEqual(first, second)
    assert.equal(blocks.references(first), 1)
    blocks.release(first)
    assert.equal(blocks.free, 1)
  })

  it('offers a whole block and no more, and -1 when none is left', () => {
    const { blocks, bump } = setUp(1)
    assert.equal(bump.room(BLOCK_BYTES + 1), -1)
    const at = bump.room(BLOCK_BYTES)
    bump.advance(BLOCK_BYTES)
    blocks.hold(at)
    assert.equal(bump.room(1), -1)
    blocks.release(at)
    assert.equal(bump.room(1), at)
  })

  it('knows what fits without a fresh block', () => {
    const { blocks, bump } = setUp()
    assert.equal(bump.fits(1), false)
    const at = bump.room(40)
    bump.advance(40)
    assert.equal(bump.fits(BLOCK_BYTES), true)
    blocks.hold(at)
    assert.equal(bump.fits(24), true)
    assert.equal(bump.fits(25), false)
  })

  it('keeps no block when nothing in it is held', () => {
    const { blocks, bump } = setUp()
    const at = bump.room(8)
    bump.advance(8)
    blocks.hold(at)
    bump.settle()
    assert.equal(blocks.free, 1)
    blocks.release(at)
    bump.settle()
    assert.equal(blocks.free, 2)
    bump.settle()
    assert.equal(blocks.free, 2)
  })
})
