import { Exposition, type MetricDefinition } from '../../observe/index.ts'
import type { StapleStatus } from './staples.ts'

const FETCHES: MetricDefinition = {
  name: 'evener_ocsp_fetches_total',
  type: 'counter',
  help: 'Questions to the OCSP responder of a certificate, by their result.',
  labels: ['certificate', 'result'],
}

const EXPIRY: MetricDefinition = {
  name: 'evener_ocsp_staple_expiry_timestamp_seconds',
  type: 'gauge',
  help: 'Until when the fetched response that is stapled holds, in seconds since the epoch; 0 where none is.',
  labels: ['certificate'],
}

/** What is known of responses that are fetched, told at each scrape. */
export const OCSP_METRICS: readonly MetricDefinition[] = [FETCHES, EXPIRY]

export function ocspMetrics(staples: readonly StapleStatus[]): string {
  const page = new Exposition()
  page.family(
    FETCHES,
    staples.flatMap(({ path, goodCount, failedCount }) => [
      { values: [path, 'good'], value: goodCount },
      { values: [path, 'failed'], value: failedCount },
    ]),
  )
  page.family(
    EXPIRY,
    staples.map(({ path, nextUpdateMs }) => ({ values: [path], value: nextUpdateMs / 1000 })),
  )
  return page.text()
}
