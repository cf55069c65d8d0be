import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BumpBlock } from '../../../../src/engine/bump-block.ts'
import { Blocks } from '../../../../src/engine/index.ts'
import { MAX_IOVECS } from '../../../../src/engine/uring/ring.ts'
import { SendQueue, type SendRing } from '../../../../src/engine/uring/send-queue.ts'
import { Slices } from '../../../../src/engine/uring/slices.ts'

const BLOCK = 32_768

/** Keeps the bytes of each send that was submitted. */
class Wire implements SendRing {
  readonly sends: { slices: number; bytes: Buffer; pollFirst: boolean }[] = []
  readonly #memory: Uint8Array
  #iovecs: [number, number][] = []

  constructor(memory: Uint8Array) {
    this.#memory = memory
  }

  send(_fd: number, low: number, length: number, pollFirst: boolean): void {
    this.sends.push({ slices: 1, bytes: this.#copy(low, length), pollFirst })
  }

  nextAside(): number {
    this.#iovecs = []
    return 0
  }

  setIovec(_aside: number, index: number, low: number, length: number): void {
    this.#iovecs[index] = [low, length]
  }

  sendMessage(_fd: number, _aside: number, iovecs: number, pollFirst: boolean): void {
    const pieces = this.#iovecs.slice(0, iovecs).map(([low, length]) => this.#copy(low, length))
    this.sends.push({ slices: iovecs, bytes: Buffer.concat(pieces), pollFirst })
  }

  #copy(low: number, length: number): Buffer {
    return Buffer.from(this.#memory.subarray(low, low + length))
  }
}

function make(blockCount = 64) {
  const memory = new Uint8Array(blockCount * BLOCK)
  const blocks = new Blocks(memory, BLOCK)
  const bump = new BumpBlock(blocks)
  const queue = new SendQueue(new Slices(2), blocks, bump)
  const wire = new Wire(memory)
  const submit = () => {
    queue.submit(wire, 7, 0, 1, 1)
    return wire.sends.at(-1)!
  }
  /** A block of its own filled with one letter, of which the caller has the hold. */
  const block = (letter: string) => {
    const start = blocks.take()
    memory.fill(letter.charCodeAt(0), start, start + BLOCK)
    return start
  }
  return { memory, blocks, bump, queue, submit, block }
}

test('a head and a short body behind it go out as one slice', () => {
  const { memory, bump, queue, submit, block } = make()
  const at = bump.room(4096)
  memory.set(Buffer.from('head '), at)
  bump.advance(5)
  queue.push(at, at + 5)
  const body = block('b')
  queue.append(body, body + 10)
  const { slices, bytes } = submit()
  assert.equal(slices, 1)
  assert.equal(bytes.toString(), 'head bbbbbbbbbb')
})

test('a long slice is sent from where it is, under a hold until it has been taken', () => {
  const { blocks, queue, submit, block } = make()
  const [first, second] = [block('1'), block('2')]
  queue.append(first, first + BLOCK)
  queue.append(second, second + 10_000)
  blocks.release(first)
  blocks.release(second)
  const { slices, bytes } = submit()
  assert.equal(slices, 2)
  assert.equal(bytes.length, BLOCK + 10_000)
  assert.deepEqual([blocks.references(first), blocks.references(second)], [1, 1])
  queue.taken(BLOCK)
  assert.deepEqual([blocks.references(first), blocks.references(second)], [0, 1])
  submit()
  queue.taken(10_000)
  assert.equal(blocks.references(second), 0)
  assert.deepEqual([queue.bytes, queue.isEmpty, queue.sentBytes], [0, true, BLOCK + 10_000])
})

test('the first slice of an empty queue is not copied, however short', () => {
  const { blocks, queue, block } = make()
  const start = block('x')
  queue.append(start, start + 1)
  assert.equal(blocks.references(start), 2)
})

test('slices that continue each other are one, but not across blocks', () => {
  const { queue, submit, block } = make()
  const start = block('a')
  const next = block('b')
  assert.equal(next, start + BLOCK)
  for (let at = start; at < start + BLOCK; at += 4096) queue.append(at, at + 4096)
  queue.append(next, next + 4096)
  const { slices, bytes } = submit()
  assert.equal(slices, 2)
  assert.equal(bytes.toString(), 'a'.repeat(BLOCK) + 'b'.repeat(4096))
})

test('what is queued while a send is in flight follows it, also when it continues its slice', () => {
  const { memory, bump, queue, submit } = make()
  const write = (text: string) => {
    const at = bump.room(text.length)
    memory.set(Buffer.from(text), at)
    bump.advance(text.length)
    queue.push(at, at + text.length)
  }
  write('one')
  submit()
  write('two')
  queue.taken(3)
  assert.equal(submit().bytes.toString(), 'two')
  write('three')
  queue.taken(1)
  assert.equal(submit().bytes.toString(), 'wothree')
  queue.taken(7)
  assert.equal(queue.isEmpty, true)
})

test('a short send is resumed at the byte where it stopped, when there is room', () => {
  const { queue, submit, block } = make()
  const starts = [block('a'), block('b'), block('c')]
  for (const start of starts) queue.append(start, start + BLOCK)
  let rest = 'a'.repeat(BLOCK) + 'b'.repeat(BLOCK) + 'c'.repeat(BLOCK)
  let expected = false
  for (const count of [1, BLOCK - 1, 5, BLOCK, 100, BLOCK - 105]) {
    const { bytes, pollFirst } = submit()
    assert.equal(bytes.toString(), rest)
    assert.equal(pollFirst, expected)
    queue.taken(count)
    expected = count < rest.length
    rest = rest.slice(count)
  }
  assert.equal(queue.isEmpty, true)
  assert.equal(rest, '')
})

test('one send takes a bounded number of slices, the next goes on', () => {
  const { queue, submit, block } = make()
  const start = block('x')
  // Backwards, so that none continues the one before.
  for (let i = MAX_IOVECS; i >= 0; i--) queue.push(start + i * 1000, start + i * 1000 + 999)
  assert.equal(submit().slices, MAX_IOVECS)
  queue.taken(MAX_IOVECS * 999)
  assert.equal(submit().slices, 1)
})

test('for a slow peer also middling slices are copied together, so that they do not keep a block each', () => {
  const { blocks, queue, submit, block } = make()
  const first = block('0')
  queue.append(first, first + BLOCK)
  submit()
  queue.taken(1)
  const free = blocks.free
  for (let i = 0; i < 16; i++) {
    const start = block('x')
    queue.append(start, start + 8000)
    blocks.release(start)
  }
  assert.ok(free - blocks.free <= 4, `${free - blocks.free} blocks for 125 KiB`)
})

test('with the arena used up short slices are held instead of copied', () => {
  const { blocks, queue, submit, block } = make(2)
  const [first, second] = [block('a'), block('b')]
  queue.append(first, first + 10)
  queue.append(second, second + 10)
  assert.equal(blocks.references(second), 2)
  assert.equal(submit().bytes.toString(), `${'a'.repeat(10)}${'b'.repeat(10)}`)
})

test('clear() lets go of everything', () => {
  const { blocks, queue, block } = make()
  const free = blocks.free
  for (let i = 0; i < 10; i++) {
    const start = block('x')
    queue.append(start, start + BLOCK)
    blocks.release(start)
  }
  queue.clear()
  assert.equal(blocks.free, free)
  assert.deepEqual([queue.bytes, queue.isEmpty], [0, true])
})

test('records are used again, and there are as many as are needed', () => {
  const slices = new Slices(2)
  const records = Array.from({ length: 1000 }, (_, i) => slices.allocate(i, i + 1))
  assert.equal(new Set(records).size, 1000)
  for (const [i, at] of records.entries()) assert.deepEqual([...slices.records.subarray(at, at + 3)], [i, i + 1, -1])
  const { length } = slices.records
  for (const at of records) slices.free(at)
  for (let i = 0; i < 1000; i++) slices.allocate(0, 1)
  assert.equal(slices.records.length, length)
})

test('the bump block begins again at its start when nobody holds a piece of it', () => {
  const { blocks, bump } = make()
  const start = bump.room(1000)
  bump.advance(1000)
  assert.equal(bump.room(1000), start)
  blocks.hold(start)
  bump.advance(1000)
  assert.equal(bump.room(1000), start + 1000)
  blocks.release(start)
  assert.equal(bump.room(BLOCK), start)
  assert.equal(bump.room(BLOCK + 1), -1)
})

test('the bump block is exchanged when it is full, and given back when its pieces have gone', () => {
  const { blocks, bump } = make(2)
  const first = bump.room(BLOCK)
  blocks.hold(first)
  bump.advance(BLOCK)
  const second = bump.room(1)
  assert.notEqual(second, first)
  blocks.hold(second)
  bump.advance(BLOCK)
  assert.equal(bump.room(1), -1, 'both blocks are in use')
  blocks.release(first)
  assert.equal(bump.room(1), first)
})

test('a slow queue keeps little more than its bytes, whatever else uses up the bump block', () => {
  const { blocks, bump, queue } = make()
  for (let i = 0; i < 200; i++) {
    const at = bump.room(BLOCK)
    blocks.memory.fill(97, at, at + 10)
    if (i % 2 === 0) {
      queue.commit(10)
      continue
    }
    const own = blocks.take()
    queue.append(own, own + 10)
    blocks.release(own)
  }
  assert.equal(queue.bytes, 2000)
  assert.ok(blocks.free >= 64 - 12, `${64 - blocks.free} blocks are kept`)
  queue.clear()
  assert.ok(blocks.free >= 63)
})
