import { acmeDefaults, normaliseAcme } from '../acme/config.ts'
import { normaliseAdmin, normaliseHooks } from '../control/config.ts'
import { normaliseAccessLog } from '../observe/config.ts'
import { normalisePacketListener, normalisePacketPlane } from '../packet/config.ts'
import { normalisePool } from '../pool/config.ts'
import { isProxied, normaliseErrorPages, normaliseListener } from '../proxy/config.ts'
import type { Plan } from './plan.ts'
import type { Configuration } from './root.ts'

/** Resolves what inherits, and gives everything the shape that the rooms want. */
export function normalise(config: Configuration, warnings: readonly string[]): Plan {
  const { timeouts, limits } = config
  const listeners = Object.entries(config.listeners)
  const pools = Object.entries(config.pools)
  const defaults = {
    timeouts,
    limits,
    poolTimeouts: new Map(pools.map(([name, pool]) => [name, pool.timeouts])),
    certificates: config.acme && acmeDefaults(config.acme),
  }
  return {
    workers: config.workers,
    engine: config.engine,
    admin: normaliseAdmin(config.admin),
    stateFile: config.stateFile,
    hooks: config.hooks && normaliseHooks(config.hooks),
    acme: config.acme && normaliseAcme(config.acme),
    accessLog: config.accessLog && normaliseAccessLog(config.accessLog),
    trustedProxies: config.trustedProxies,
    drainTimeoutMs: timeouts.drain,
    listeners: listeners.flatMap(([name, listener]) => (isProxied(listener) ? [normaliseListener(name, listener, defaults)] : [])),
    packet: normalisePacketPlane(
      config.packet,
      listeners.flatMap(([name, { bind, packet }]) => (packet === undefined ? [] : [normalisePacketListener(name, bind, packet)])),
    ),
    pools: pools.map(([name, pool]) => normalisePool(name, pool, timeouts)),
    errorPages: normaliseErrorPages(config.errorPages),
    warnings,
  }
}
