import { z } from 'zod'
import { always, duration, exactlyOne, fieldValue, options, serverAddress } from '../../schema/index.ts'
import type { AgentPlan } from './plan.ts'

const text = options({
  send: z.string().max(1024).default('').describe('What is sent first, as HAProxy\'s "agent-send"; it needs its own line end.'),
})

const json = options({
  path: z
    .string()
    .regex(/^\/[!-~]*$/, 'a path begins with "/" and has no spaces')
    .default('/')
    .describe('Path and query to ask for.'),
  host: fieldValue.optional().describe('Value of Host; the address without this.'),
})

/** `agent` of a pool. */
export const agent = options({
  text: text.optional().describe('A line such as "up 75%": HAProxy\'s agent-check protocol.'),
  json: json.optional().describe('A JSON document over HTTP with cpu, memory and connections.'),
  interval: duration.prefault('2s').describe('Time from the begin of one question to the begin of the next.'),
  jitter: z.int().min(0).max(50).default(10).describe('Up to so many percent are added to or taken from each interval.'),
  timeout: duration.prefault('1s').describe('An agent that takes longer has not answered.'),
  fall: z.int().min(1).max(1000).default(3).describe('Failures in a row after which an agent counts as lost.'),
  onLost: z.enum(['keep', 'forget']).default('keep').describe('Whether what a lost agent has said goes on to count.'),
  address: serverAddress.optional().describe('Where one agent for all servers of the pool listens.'),
  port: z.int().min(1).max(65535).optional().describe("Port of the agent on each server's host."),
}).check(
  exactlyOne('an agent', ['text', 'json']),
  always((value, report) => {
    if (value.address !== undefined && value.port !== undefined)
      report({ code: 'CONFIG_CONFLICT', message: 'an agent has "address" or "port", not both' }, ['port'])
  }),
)

export function normaliseAgent(config: z.output<typeof agent> | undefined): AgentPlan | undefined {
  if (config === undefined) return undefined
  const { text: line, json: document, interval, jitter, timeout, fall, onLost, address, port } = config
  return {
    kind: line === undefined ? 'json' : 'text',
    send: line?.send ?? '',
    path: document?.path ?? '/',
    host: document?.host,
    intervalMs: interval,
    jitterPercent: jitter,
    timeoutMs: timeout,
    fall,
    onLost,
    address,
    port,
  }
}
