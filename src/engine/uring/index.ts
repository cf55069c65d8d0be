/**
 * uring: the engine over io_uring, for Linux from 6.1 on.
 *
 * In: completions, with received bytes in blocks that the kernel chose from those we provided. Out: operations on the same
 * blocks. A turn of the loop is one system call, which submits everything that the turn's handlers caused and waits for
 * what comes next. The engine owns the arena and the descriptors.
 *
 *   loop.ts ─▶ ring.ts ─▶ kernel                     receive-buffers.ts   which blocks the kernel may fill
 *      │                                             send-queue.ts        what a connection has to send: slices.ts, bump-block.ts
 *      └─▶ connection.ts, listener.ts ─▶ handlers    operations.ts        numbers
 */
import { release } from 'node:os'
import { ringObstacle } from '../../kernel/index.ts'
import type { EngineBackend } from '../backend.ts'
import { RingEngine } from './engine.ts'
import { OP, SETUP_FLAGS } from './operations.ts'

export const backend: EngineBackend = {
  probe() {
    const obstacle = ringObstacle(SETUP_FLAGS, OP)
    return obstacle === undefined ? { available: true, detail: `io_uring of Linux ${release()}` } : { available: false, detail: obstacle }
  },
  create: (options, hooks) => new RingEngine(options, hooks),
}
