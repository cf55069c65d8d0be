import { setTimeout as delay } from 'node:timers/promises'
import type { Pace } from '../core/index.ts'

/** What nobody waits for keeps no process alive. */
export const systemPace: Pace = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) => delay(ms, undefined, { signal, ref: false }),
}
