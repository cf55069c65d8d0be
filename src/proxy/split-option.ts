import { z } from 'zod'
import { always, exactlyOne, normaliseCookie, options, requestKey, stickyCookie } from '../schema/index.ts'
import type { ExchangeTimeoutsPlan, SplitActionPlan } from './plan.ts'

const branch = options({
  pool: z.string().describe('A pool.'),
  weight: z.int().min(0).max(65_535).default(1).describe('Its share beside the others; 0 gets nothing new.'),
})

const sticky = options({
  cookie: stickyCookie('EVSPLIT').optional().describe('A cookie remembers the pool.'),
  key: requestKey
    .optional()
    .describe('The pool follows from a key: source, header:NAME, cookie:NAME and so on. Requests without it are shared out by weight.'),
}).check(exactlyOne('"sticky"', ['cookie', 'key']))

/** The action `split` of a route. */
export const split = options({
  pools: z.array(branch).min(1, 'a split has at least one pool').describe('The pools, with their weights.'),
  sticky: sticky.optional().describe('A client stays with its pool; without this each request is shared out by itself.'),
}).check(
  always(({ pools }, report) => {
    const list: unknown[] = Array.isArray(pools) ? pools : []
    if (list.length === 0 || list.some((each) => (each as { weight?: number } | null)?.weight !== 0)) return
    report({ code: 'CONFIG_OUT_OF_RANGE', message: 'at least one weight is above 0' }, ['pools'])
  }),
)

export function normaliseSplit(
  { pools, sticky: stays }: z.output<typeof split>,
  timeoutsOf: (pool: string) => ExchangeTimeoutsPlan,
): SplitActionPlan {
  return {
    kind: 'split',
    branches: pools.map(({ pool, weight }) => ({ pool, weight, timeouts: timeoutsOf(pool) })),
    sticky:
      stays === undefined
        ? undefined
        : stays.cookie !== undefined
          ? { kind: 'cookie', mode: 'insert', ...normaliseCookie(stays.cookie) }
          : { kind: 'key', key: { key: stays.key as string } },
  }
}
