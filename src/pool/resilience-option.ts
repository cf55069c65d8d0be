import { z } from 'zod'
import { duration, options } from '../schema/index.ts'
import type { BreakerDefinition, OutlierDefinition, RetryBudgetDefinition } from './definition.ts'

const percent = z.int().min(1).max(100)

/** `outliers` of a pool. */
export const outliers = options({
  consecutiveFailures: z
    .int()
    .min(0)
    .max(10_000)
    .default(5)
    .describe(
      'Out after so many failures in a row: no connection, no or a broken response, a time-out, a status of 500 or above. 0: never.',
    ),
  consecutiveGatewayErrors: z.int().min(0).max(10_000).default(0).describe('The same, of statuses only 502, 503 and 504 count. 0: never.'),
  interval: duration.prefault('10s').describe('Over which success rates and response times are judged.'),
  minRequests: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(100)
    .describe('Servers with fewer requests in an interval are not judged by rate or time.'),
  successRateDeviations: z
    .number()
    .min(0)
    .max(10)
    .default(0)
    .describe('Out is whose success rate is so many standard deviations below the mean of at least three servers. 0: never.'),
  slowFactor: z
    .number()
    .min(0)
    .max(1000)
    .default(0)
    .describe('Out is whose mean response time is so many times the median of at least three servers. 0: never.'),
  slowMin: duration.prefault('100ms').describe('Faster mean response times are never slow.'),
  ejection: duration.prefault('30s').describe('How long the first ejection lasts; the next twice as long, and so on.'),
  maxEjection: duration.prefault('5m').describe('The longest ejection.'),
  maxEjected: percent.default(50).describe('No more than this percentage of the servers is out at a time, rounded down.'),
})

/** `breaker` of a pool. */
export const breaker = options({
  failures: percent.default(50).describe('Opens when this percentage of the requests of a window failed.'),
  minRequests: z.int().min(1).max(1_000_000).default(20).describe('Fewer requests in a window open nothing.'),
  window: duration.prefault('10s').describe('The time over which requests and failures are counted.'),
  open: duration.prefault('10s').describe('How long it stays open, before it tries.'),
  probes: z.int().min(1).max(1000).default(3).describe('Requests that it tries with; it closes when all of them went well.'),
})

/** `retryBudget` of a pool. */
export const retryBudget = options({
  percent: percent.default(20).describe('Retries as a percentage of the requests.'),
  minPerSecond: z.int().min(0).max(100_000).default(10).describe('Retries that are allowed in any second, however few requests there are.'),
})

export function normaliseOutliers(config: z.output<typeof outliers> | undefined): OutlierDefinition | undefined {
  if (config === undefined) return undefined
  const { interval, slowMin, ejection, maxEjection, maxEjected, ...rest } = config
  return {
    ...rest,
    intervalMs: interval,
    slowMinMs: slowMin,
    ejectionMs: ejection,
    maxEjectionMs: Math.max(ejection, maxEjection),
    maxEjectedPercent: maxEjected,
  }
}

export function normaliseBreaker(config: z.output<typeof breaker> | undefined): BreakerDefinition | undefined {
  if (config === undefined) return undefined
  const { failures, minRequests, window, open, probes } = config
  return { failurePercent: failures, minRequests, windowMs: window, openMs: open, probes }
}

export function normaliseRetryBudget(config: z.output<typeof retryBudget> | undefined): RetryBudgetDefinition | undefined {
  return config
}
