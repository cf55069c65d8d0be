import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, it } from 'node:test'
import { Blocks } from '../../../../src/engine/blocks.ts'
import { BumpBlock } from '../../../../src/engine/bump-block.ts'
import { SendQueue } from '../../../../src/engine/portable/send-queue.ts'
import { between, seededRandom } from '../../../support/random.ts'

const BLOCK_BYTES = 16_384

/** A socket that takes everything at once, or nothing until release(). */
class Sink extends Writable {
  readonly writes: Buffer[][] = []
  takesAtOnce = true
  #waiting: (() => void) | null = null

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this._writev([{ chunk }], callback)
  }

  override _writev(chunks: { chunk: Buffer }[], callback: () => void): void {
    this.writes.push(chunks.map(({ chunk }) => Buffer.from(chunk)))
    if (this.takesAtOnce) callback()
    else this.#waiting = callback
  }

  release(): void {
    this.#waiting?.()
  }

  get text(): string {
    return Buffer.concat(this.writes.flat()).toString('latin1')
  }
}

function setUp(count = 64) {
  const memory = new ArrayBuffer(count * BLOCK_BYTES)
  const blocks = new Blocks(new Uint8Array(memory), BLOCK_BYTES)
  const bump = new BumpBlock(blocks)
  const queue = new SendQueue(blocks, bump, Buffer.from(memory))
  const commit = (text: string) => {
    const at = bump.room(text.length)
    blocks.memory.set(Buffer.from(text), at)
    queue.commit(text.length)
  }
  /** Sends from a block of its own, as received bytes are. */
  const send = (text: string) => {
    const at = blocks.take()
    blocks.memory.set(Buffer.from(text), at)
    queue.append(at, at + text.length)
    blocks.release(at)
  }
  const flush = (sink: Sink) => {
    while (!queue.isEmpty) {
      assert.equal(queue.writeTo(sink), true)
      queue.taken()
    }
    bump.settle()
  }
  return { blocks, bump, queue, commit, send, flush, sink: new Sink({ highWaterMark: 1 << 20 }) }
}

describe('the send queue', () => {
  it('sends a single slice from where it is', () => {
    const { blocks, queue, send, flush, sink } = setUp()
    send('hello')
    assert.equal(queue.bytes, 5)
    assert.equal(blocks.free, 63)
    flush(sink)
    assert.equal(sink.text, 'hello')
    assert.equal(queue.bytes, 0)
    assert.equal(blocks.free, 64)
  })

  it('makes one piece of a head that was written and a short body behind it', () => {
    const { commit, send, flush, sink } = setUp()
    commit('head')
    commit('er')
    send('body')
    flush(sink)
    assert.deepEqual(
      sink.writes.map((write) => write.map(String)),
      [['headerbody']],
    )
  })

  it('sends a long body from where it is, in the same write', () => {
    const { commit, send, flush, sink } = setUp()
    const body = 'b'.repeat(10_000)
    commit('head')
    send(body)
    flush(sink)
    assert.deepEqual(
      sink.writes.map((write) => write.map(String)),
      [['head', body]],
    )
  })

  it('joins slices that follow each other in a block', () => {
    const { blocks, queue, flush, sink } = setUp()
    const at = blocks.take()
    blocks.memory.set(Buffer.from('abcdef'), at)
    queue.append(at, at + 2)
    queue.append(at + 2, at + 6)
    blocks.release(at)
    flush(sink)
    assert.equal(sink.writes.length, 1)
    assert.equal(sink.writes[0].length, 1)
    assert.equal(blocks.free, 64)
  })

  it('does not let pieces grow that are in flight', async () => {
    const { queue, commit, bump, sink } = setUp()
    sink.takesAtOnce = false
    commit('one')
    assert.equal(queue.writeTo(sink), false)
    assert.equal(queue.isInFlight, true)
    commit('two')
    assert.equal(queue.bytes, 6)
    sink.takesAtOnce = true
    sink.release()
    assert.equal(queue.taken(), 3)
    assert.equal(queue.bytes, 3)
    assert.equal(queue.writeTo(sink), true)
    assert.equal(queue.taken(), 3)
    bump.settle()
    assert.equal(sink.text, 'onetwo')
  })

  it('keeps little more than its bytes for a peer that does not read', () => {
    const { blocks, bump, queue, send, commit, flush, sink } = setUp()
    for (let i = 0; i < 200; i++) {
      // Other connections use up the bump block meanwhile.
      bump.room(BLOCK_BYTES)
      if (i % 2 === 0) send('0123456789')
      else commit('0123456789')
    }
    bump.settle()
    assert.ok(blocks.free >= 64 - 12, `${64 - blocks.free} blocks are kept for ${queue.bytes} bytes`)
    flush(sink)
    assert.equal(sink.text, '0123456789'.repeat(200))
    assert.equal(blocks.free, 64)
  })

  it('bounds what one write carries', () => {
    const { queue, send, sink } = setUp()
    for (let i = 0; i < 40; i++) send('x'.repeat(BLOCK_BYTES))
    queue.writeTo(sink)
    const bytes = queue.taken()
    assert.ok(bytes >= 256 * 1024 && bytes < 256 * 1024 + BLOCK_BYTES)
    queue.clear()
  })

  it('gives everything back when it is cleared', () => {
    const { blocks, bump, queue, send, commit } = setUp()
    for (let i = 0; i < 30; i++) {
      send('x'.repeat(100))
      commit('y')
    }
    queue.clear()
    bump.settle()
    assert.equal(queue.bytes, 0)
    assert.equal(queue.isEmpty, true)
    assert.equal(blocks.free, 64)
  })

  it('keeps every byte and its place under any mix, with memory running out', () => {
    const random = seededRandom(99)
    const { blocks, bump, queue, flush, sink } = setUp(8)
    let expected = ''
    for (let step = 0; step < 5000; step++) {
      const text = String.fromCharCode(97 + (step % 26)).repeat(between(random, 1, random() < 0.1 ? BLOCK_BYTES : 500))
      const isCommit = random() < 0.5
      const at = isCommit ? bump.room(text.length) : blocks.take()
      if (at === -1) {
        flush(sink)
        continue
      }
      blocks.memory.set(Buffer.from(text), at)
      if (isCommit) queue.commit(text.length)
      else {
        queue.append(at, at + text.length)
        blocks.release(at)
      }
      expected += text
      if (random() < 0.05) flush(sink)
    }
    flush(sink)
    assert.equal(sink.text === expected, true)
    assert.equal(blocks.free, 8)
  })
})
