import { SERVER } from './layout.ts'
import { HEALTH } from './state.ts'

const PARTS = [
  SERVER.OWN_HEALTH,
  SERVER.OWN_ADMIN,
  SERVER.OWN_MAX_ACTIVE,
  SERVER.AGENT_DOWN,
  SERVER.AGENT_ADMIN,
  SERVER.AGENT_MAX_ACTIVE,
] as const

/**
 * Makes a server's state out of what checks, operators and the configuration say of it, and of what its agent says: the worse of both, and
 * the smaller limit. Control thread only. Returns whether anything is different now.
 */
export function combineState(words: Int32Array, row: number): boolean {
  const [ownHealth, ownAdmin, ownLimit, isDown, agentAdmin, agentLimit] = PARTS.map((word) => Atomics.load(words, row + word))
  const limit = ownLimit === 0 || agentLimit === 0 ? Math.max(ownLimit, agentLimit) : Math.min(ownLimit, agentLimit)
  const state = [
    [SERVER.HEALTH, isDown === 1 ? HEALTH.DOWN : ownHealth],
    [SERVER.ADMIN, Math.max(ownAdmin, agentAdmin)],
    [SERVER.MAX_ACTIVE, limit],
  ] as const
  let isChanged = false
  for (const [word, value] of state) if (Atomics.exchange(words, row + word, value) !== value) isChanged = true
  return isChanged
}
