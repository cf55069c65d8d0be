import type { ServerResponse } from 'node:http'
import type { Cleanup } from './cleanup.ts'
import { type HttpOrigin, origin } from './origin.ts'

export interface HeldOrigin extends HttpOrigin {
  /** Requests that are being held now. */
  readonly held: number
  /** The most that were held at the same time. */
  readonly most: number
  /** Resolves when so many are held. */
  holds(count: number): Promise<void>
  /** Answers the oldest one that is held, or all of them. */
  release(count?: number): void
  /** From now on every request is answered at once. */
  open(): void
}

/** An HTTP server that answers no request until the test says so. */
export async function heldOrigin(t: Cleanup, name = 'held'): Promise<HeldOrigin> {
  const responses: ServerResponse[] = []
  const waiting: (() => void)[] = []
  let most = 0
  let isOpen = false
  const server = await origin(t, name, (request, response) => {
    if (isOpen) {
      response.end(name)
      return
    }
    responses.push(response)
    response.on('close', () => {
      const at = responses.indexOf(response)
      if (at !== -1) responses.splice(at, 1)
    })
    request.socket.setNoDelay(true)
    most = Math.max(most, responses.length)
    for (const wake of waiting.splice(0)) wake()
  })
  const release = (count = responses.length): void => {
    for (const response of responses.splice(0, count)) response.end(name)
  }
  const held = {
    get held() {
      return responses.length
    },
    get most() {
      return most
    },
    async holds(count: number) {
      while (responses.length < count) await new Promise<void>((wake) => waiting.push(wake))
    },
    release,
    open() {
      isOpen = true
      release()
    },
  }
  // Getters stay getters, which Object.assign would not do.
  return Object.defineProperties(held, Object.getOwnPropertyDescriptors(server)) as HeldOrigin
}
