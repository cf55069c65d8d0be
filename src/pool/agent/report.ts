import type { AdminName } from '../state.ts'

/** What an agent says of its server; undefined for what it does not say, which then stays as it was. */
export interface AgentReport {
  readonly isDown?: boolean | undefined
  readonly admin?: AdminName | undefined
  /** Of the server's weight, 0 to 100. */
  readonly weightPercent?: number | undefined
  /** What is left of its resources, 0 to 100. */
  readonly capacityPercent?: number | undefined
  /** Requests at a time; 0 for no limit. */
  readonly limit?: number | undefined
  /** Why, in the agent's own words; empty where it says nothing. */
  readonly description: string
}

/** All that an agent has said until now. */
export interface SaidState {
  readonly isDown: boolean
  readonly admin: AdminName
  readonly weightPercent: number
  readonly capacityPercent: number
  readonly limit: number
  readonly description: string
}

export const NOTHING_SAID: SaidState = {
  isDown: false,
  admin: 'ready',
  weightPercent: 100,
  capacityPercent: 100,
  limit: 0,
  description: '',
}

export function merge(before: SaidState, report: AgentReport): SaidState {
  return {
    isDown: report.isDown ?? before.isDown,
    admin: report.admin ?? before.admin,
    weightPercent: report.weightPercent ?? before.weightPercent,
    capacityPercent: report.capacityPercent ?? before.capacityPercent,
    limit: report.limit ?? before.limit,
    description: report.description,
  }
}

/** "up, drain, weight 75 %, capacity 40 %, at most 20 requests": only what is not as without an agent. */
export function describeSaid(said: SaidState): string {
  const parts = [
    said.isDown ? 'down' : 'up',
    said.admin === 'ready' ? '' : said.admin,
    said.weightPercent === 100 ? '' : `weight ${said.weightPercent} %`,
    said.capacityPercent === 100 ? '' : `capacity ${said.capacityPercent} %`,
    said.limit === 0 ? '' : `at most ${said.limit} requests`,
  ].filter((part) => part !== '')
  return `${parts.join(', ')}${said.description === '' ? '' : ` (${said.description})`}`
}
