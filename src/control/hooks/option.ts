import { z } from 'zod'
import { durationBetween, exactlyOne, fieldName, fieldValue, name, oneOrMore, options } from '../../schema/index.ts'
import { EVENT_KINDS, type EventKind } from '../state-events.ts'

interface HookCommon {
  readonly name: string
  readonly kinds: readonly EventKind[]
  /** undefined for all pools. */
  readonly pools: readonly string[] | undefined
  readonly timeoutMs: number
  readonly concurrency: number
  readonly queueSize: number
}

/** Program and arguments; no shell. */
export interface CommandHookPlan extends HookCommon {
  readonly kind: 'command'
  readonly command: readonly string[]
}

export interface WebHookPlan extends HookCommon {
  readonly kind: 'webhook'
  readonly url: string
  readonly headers: readonly { readonly name: string; readonly value: string }[]
}

/** One entry of `hooks`. */
export type HookPlan = CommandHookPlan | WebHookPlan

const hook = options({
  command: z
    .array(z.string().max(4096))
    .min(1)
    .max(64)
    .optional()
    .describe('Program with its arguments, run without a shell: the event is on its standard input as JSON, and in EVENER_* variables.')
    .meta({ examples: [['/usr/local/bin/notify', '--oncall']] }),
  url: z
    .url({ protocol: /^https?$/, error: 'a URL with http or https is expected' })
    .optional()
    .describe('The event is sent there by POST as JSON; 2xx is success.'),
  headers: z.record(fieldName, fieldValue).default({}).describe('Fields to send with it, by name.'),
  on: oneOrMore(z.enum(EVENT_KINDS))
    .optional()
    .describe('Kinds of events; all without this.')
    .meta({ examples: [['health', 'availability']] }),
  pools: oneOrMore(name).optional().describe('Pools; all without this.'),
  timeout: durationBetween(1, 3_600_000)
    .prefault('10s')
    .describe('A command that runs longer is killed, a request that takes longer is given up.'),
  concurrency: z.int().min(1).max(64).default(1).describe('So many are told at a time; with 1 they are told in order.'),
  queue: z.int().min(0).max(100_000).default(1000).describe('Events that wait; more are dropped, counted and logged.'),
}).check(exactlyOne('a hook', ['command', 'url']))

/** `hooks`: who is told of changes of pools and servers, by name. */
export const hooks = z.record(name, hook)

export function normaliseHooks(config: z.output<typeof hooks>): HookPlan[] {
  return Object.entries(config).map(([hookName, each]): HookPlan => {
    const { on, pools, timeout, concurrency, queue, command, url, headers } = each
    const common = { name: hookName, kinds: on ?? EVENT_KINDS, pools, timeoutMs: timeout, concurrency, queueSize: queue }
    if (command !== undefined) return { kind: 'command', ...common, command }
    const fields = Object.entries(headers).map(([field, value]) => ({ name: field, value }))
    return { kind: 'webhook', ...common, url: url as string, headers: fields }
  })
}
