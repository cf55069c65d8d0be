import type { CheckPlace } from '../check/plan.ts'

/** How the agents on a pool's servers are asked. */
export interface AgentPlan extends CheckPlace {
  /** A line of text, as HAProxy's agent-check, or a JSON document over HTTP. */
  readonly kind: 'text' | 'json'
  /** text: what is sent first; empty for nothing. */
  readonly send: string
  /** json: path and query. */
  readonly path: string
  /** json: value of Host; undefined for the address. */
  readonly host: string | undefined
  readonly intervalMs: number
  readonly jitterPercent: number
  readonly timeoutMs: number
  /** Failures in a row after which an agent counts as lost. */
  readonly fall: number
  /** What becomes of what a lost agent has said. */
  readonly onLost: 'keep' | 'forget'
}
