import { CQE_MORE, ERRNO, KIND } from './operations.ts'
import type { Ring } from './ring.ts'

/**
 * The multishot receive of one connection: whether it is in flight, and whether it should be.
 *
 *   idle ──arm(true)──▶ in flight ──arm(false)──▶ cancelling ──last completion──▶ idle
 *                           └──no buffer──▶ starved ──relieve()──▶ idle
 */
export class Receiver {
  isInFlight = false
  isCancelling = false
  /** The kernel found no buffer: wait for relieve(). */
  isStarved = false

  /** The next receive is for one buffer: what comes first says whether the rest is spliced, and there is nothing to cancel then. */
  isCautious = false

  /** Submits the receive, or cancels it. */
  arm(isWanted: boolean, ring: Ring, fd: number, group: number, slot: number, generation: number): void {
    if (isWanted) {
      if (this.isInFlight || this.isStarved) return
      this.isInFlight = true
      ring.receive(fd, group, !this.isCautious, slot, generation)
      this.isCautious = false
    } else this.cancel(ring, slot, generation)
  }

  cancel(ring: Ring, slot: number, generation: number): void {
    if (!this.isInFlight || this.isCancelling) return
    this.isCancelling = true
    ring.cancel(KIND.RECEIVE, slot, generation)
  }

  /** Takes note of a completion. False when it was the last one of this receive. */
  completed(result: number, flags: number): boolean {
    if ((flags & CQE_MORE) !== 0) return true
    this.isInFlight = false
    this.isCancelling = false
    this.isStarved = result === ERRNO.ENOBUFS
    return false
  }
}
