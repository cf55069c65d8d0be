import { release } from 'node:os'
import { type EngineOptions, probeUring } from '../../src/engine/index.ts'
import { RingEngine } from '../../src/engine/uring/engine.ts'
import { RING_SIZES } from '../../src/engine/uring/loop.ts'
import type { Cleanup } from './cleanup.ts'
import type { Need } from './needs.ts'

const probe = await probeUring()
const mustRun = process.env.CI === 'true' && process.platform === 'linux' && Number.parseInt(release(), 10) >= 6 && process.getuid?.() === 0

/** Options of a test that needs io_uring. Where CI should have it, the test runs and fails rather than be skipped. */
export const uring: Need = { skip: probe.available || mustRun ? false : probe.detail }

export const SMALL: EngineOptions = {
  blockBytes: 4096,
  blockCount: 256,
  receiveBlocks: 16,
  maxConnections: 1024,
  highWaterBytes: 64 * 1024,
  scarceHighWaterBytes: 64 * 1024,
  lowWaterBytes: 16 * 1024,
}

/** A running engine over io_uring, small unless told otherwise; it is closed afterwards, and nothing may have been reported. */
export function ringEngine(t: Cleanup, options: Partial<EngineOptions> = {}, sizes = RING_SIZES): RingEngine {
  const errors: unknown[] = []
  const engine = new RingEngine({ ...SMALL, ...options }, { report: (error) => errors.push(error) }, sizes)
  engine.start()
  t.after(async () => {
    await engine.close()
    if (errors.length > 0) throw new AggregateError(errors, 'the engine reported errors')
  })
  return engine
}
