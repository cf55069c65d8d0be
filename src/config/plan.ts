import type { AcmePlan } from '../acme/config.ts'
import type { AdminPlan, HookPlan } from '../control/config.ts'
import type { Cidr } from '../core/index.ts'
import type { EnginePlan, WorkersPlan } from '../engine/config.ts'
import type { AccessLogPlan } from '../observe/config.ts'
import type { PacketPlan } from '../packet/config.ts'
import type { PoolPlan } from '../pool/config.ts'
import type { ErrorPagePlan, ListenerPlan } from '../proxy/config.ts'

/**
 * A valid configuration, normalised: durations in milliseconds, sizes in bytes, every default filled in, every inheritance
 * resolved. Plain data that survives structuredClone and JSON; equal configurations give deeply equal plans, in the order
 * of the file. Everybody downstream of `config` may rely on the cross checks: pools exist, names are unique, binds do not clash.
 */
export interface Plan {
  readonly workers: WorkersPlan
  readonly engine: EnginePlan
  /** undefined where the configuration says `admin: none`. */
  readonly admin: AdminPlan | undefined
  /** Where changes of servers at run time are kept; undefined keeps none. */
  readonly stateFile: string | undefined
  readonly hooks: readonly HookPlan[] | undefined
  /** undefined where no certificate is had by ACME. */
  readonly acme: AcmePlan | undefined
  readonly accessLog: AccessLogPlan | undefined
  readonly trustedProxies: readonly Cidr[]
  readonly drainTimeoutMs: number
  readonly listeners: readonly ListenerPlan[]
  /** Listeners whose packets the kernel forwards; undefined where there are none. */
  readonly packet: PacketPlan | undefined
  readonly pools: readonly PoolPlan[]
  readonly errorPages: readonly ErrorPagePlan[]
  /** One line for each warning, "edge.yaml:3:5  listeners.web: …". */
  readonly warnings: readonly string[]
}
