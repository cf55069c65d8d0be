import { z } from 'zod'
import { type Context, complain } from './complain.ts'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** What a 32-bit timer can hold: 24 days and 20 hours. */
const MAX_MS = 2 ** 31 - 1
const PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** "500ms", "2s", "1.5m". */
export type DurationText = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** A duration as text, parsed to whole milliseconds, 1ms to 24d. */
export const duration = durationBetween(1, MAX_MS)

/** A duration within limits, in milliseconds. */
export function durationBetween(minMs: number, maxMs: number) {
  return z
    .string()
    .transform((text, context) => parseDuration(text, minMs, maxMs, context))
    .meta({ title: 'duration', pattern: PATTERN.source, examples: ['500ms', '2s', '5m'] }) as unknown as z.ZodType<number, DurationText>
}

/** A duration, or "none", which is parsed to 0. */
export const durationOrNone = z.union([z.literal('none').transform(() => 0), duration])

/** "1h30m" is not a duration; 90m is. The shortest exact text for a number of milliseconds. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) if (ms >= UNITS[unit] && ms % UNITS[unit] === 0) return `${ms / UNITS[unit]}${unit}`
  return `${ms}ms`
}

function parseDuration(text: string, minMs: number, maxMs: number, context: Context): number {
  const match = PATTERN.exec(text)
  if (match === null) {
    const hint = /^\d+(\.\d+)?$/.test(text) ? `which unit: "${text}s", "${text}ms"?` : 'a number with ms, s, m, h or d: "500ms", "2s", "5m"'
    return complain(context, { code: 'CONFIG_INVALID_VALUE', message: `${JSON.stringify(text)} is not a duration`, hint })
  }
  const ms = Math.round(Number(match[1]) * UNITS[match[2]])
  if (ms >= minMs && ms <= maxMs) return ms
  const message = `a duration from ${formatDuration(minMs)} to ${maxMs === MAX_MS ? '24d' : formatDuration(maxMs)} is expected, not ${text}`
  return complain(context, { code: 'CONFIG_OUT_OF_RANGE', message })
}
