import { type AgentReport, readAgentLine } from '../../pool/index.ts'
import type { MachineLoad } from './machine.ts'

/** What the machine's operator wants to be said, as it stands in the state file; empty where there is nothing. */
export interface Wish {
  readonly line: string
  readonly report: AgentReport | undefined
}

export const NO_WISH: Wish = { line: '', report: undefined }

/** The first line with anything in it; undefined where it has no word that agents know. */
export function readWish(text: string): Wish | undefined {
  const line = text
    .split(/[\r\n]/)
    .map((each) => each.trim())
    .find((each) => each !== '')
  if (line === undefined) return NO_WISH
  const report = readAgentLine(line)
  return report && { line, report }
}

/**
 * One line for HAProxy and for `agent: { text: {} }`: the share of what is left of the scarcest resource, and the state. It is never 0 %, which
 * would be a drain. The state is said each time, so that a balancer that missed a change has it with the next answer.
 */
export function answerLine(load: MachineLoad, maxConnections: number, { report }: Wish): string {
  const words = [
    report?.admin === 'maintenance' ? 'maint' : (report?.admin ?? 'ready'),
    report?.isDown === true ? 'down' : 'up',
    `${report?.weightPercent ?? Math.max(1, Math.round(100 - scarcest(load, maxConnections)))}%`,
    ...(report?.limit === undefined ? [] : [`maxconn:${report.limit}`]),
  ]
  return `${words.join(' ')}${report === undefined || report.description === '' ? '' : ` # ${report.description}`}\n`
}

/** The document for `agent: { json: {} }`. */
export function answerDocument(load: MachineLoad, maxConnections: number, { report }: Wish): string {
  return `${JSON.stringify({
    cpu: load.cpu,
    memory: load.memory,
    connections: load.connections,
    ...(maxConnections === 0 ? {} : { maxConnections }),
    weight: report?.weightPercent ?? 100,
    ...(report?.limit === undefined ? {} : { limit: report.limit }),
    admin: report?.admin ?? 'ready',
    health: report?.isDown === true ? 'down' : 'up',
    ...(report === undefined || report.description === '' ? {} : { reason: report.description }),
  })}\n`
}

function scarcest({ cpu, memory, connections }: MachineLoad, maxConnections: number): number {
  const connected = maxConnections === 0 ? 0 : Math.min(100, (100 * connections) / maxConnections)
  return Math.max(cpu, memory, connected)
}
