import type { StoredCertificate } from './certificate.ts'
import type { AcmeClient } from './client.ts'
import { parseJson, retryAfterMs, textOf } from './problem.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** RFC 9773 §4.3.2: how often an authority is asked that does not say. */
const ASK_AGAIN_MS = 6 * 3_600_000

/** When an authority wants a certificate to be renewed (ARI). */
export interface RenewalWindow {
  readonly startMs: number
  readonly endMs: number
  /** How long this holds. */
  readonly retryAfterMs: number
}

/** Asks the authority (RFC 9773 §4.2). undefined where it has no such service, or knows no identifier for the certificate. */
export async function askRenewalWindow(
  client: AcmeClient,
  { id }: StoredCertificate,
  nowMs: number,
  signal: AbortSignal,
): Promise<RenewalWindow | undefined> {
  const { renewalInfo } = await client.directory(signal)
  if (renewalInfo === undefined || id === undefined) return undefined
  const response = await client.get(`${renewalInfo.replace(/\/$/, '')}/${id}`, signal)
  const { suggestedWindow } = (parseJson(response.body) ?? {}) as { suggestedWindow?: { start?: unknown; end?: unknown } }
  const [startMs, endMs] = [Date.parse(textOf(suggestedWindow?.start)), Date.parse(textOf(suggestedWindow?.end))]
  // RFC 9773 §4.2: an end that is not behind the start is to be taken for no answer.
  if (!(startMs < endMs)) return undefined
  const again = retryAfterMs(response, nowMs) ?? ASK_AGAIN_MS
  return { startMs, endMs, retryAfterMs: Math.min(Math.max(again, MINUTE_MS), DAY_MS) }
}

/** A moment within the window. */
export function momentWithin({ startMs, endMs }: RenewalWindow, random: number): number {
  return startMs + (endMs - startMs) * random
}

/**
 * When to renew a certificate of which the authority says nothing: `renewBeforeMs` before its end, without that a third of its lifetime, and up to a
 * twentieth earlier, so that those of one day do not stay together. Half of its lifetime is always used.
 */
export function renewalMoment(
  { notBeforeMs, notAfterMs }: Pick<StoredCertificate, 'notBeforeMs' | 'notAfterMs'>,
  renewBeforeMs: number | undefined,
  random: number,
): number {
  const lifetime = notAfterMs - notBeforeMs
  const wanted = notAfterMs - (renewBeforeMs ?? lifetime / 3) - (lifetime / 20) * random
  return Math.max(wanted, notBeforeMs + lifetime / 2)
}

/** How long to wait after so many failures in a row: doubled each time up to the maximum, half of it by chance; never less than was demanded. */
export function backOffMs(failures: number, firstMs: number, maxMs: number, random: number, demandedMs = 0): number {
  const whole = Math.min(firstMs * 2 ** Math.min(failures - 1, 30), maxMs)
  return Math.max(whole / 2 + (whole / 2) * random, demandedMs)
}
