/** Lets a test wait until `count` things have happened: each calls arrive(), the test awaits `passed`. */
export interface Barrier {
  readonly passed: Promise<void>
  arrive(): void
  /** A failure of one of them ends the wait. */
  fail(error: unknown): void
}

export function barrier(count: number): Barrier {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let missing = count
  if (missing === 0) resolve()
  return {
    passed: promise,
    arrive() {
      missing--
      if (missing === 0) resolve()
      if (missing < 0) throw new Error(`more than ${count} arrived at the barrier`)
    },
    fail: reject,
  }
}
