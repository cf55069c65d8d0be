import { z } from 'zod'
import { type Context, complain } from './complain.ts'

const UNITS: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 }
const PATTERN = /^(\d+)(B|KiB|MiB|GiB|TiB)?$/

/** "64KiB", or a number of bytes. */
export type SizeText = number | `${number}${'' | 'B' | 'KiB' | 'MiB' | 'GiB' | 'TiB'}`

/** A size as text or a number, parsed to bytes. */
export const size = sizeBetween(0, Number.MAX_SAFE_INTEGER)

/** A size within limits, in bytes. */
export function sizeBetween(minBytes: number, maxBytes: number) {
  return z
    .union([z.number(), z.string()])
    .transform((value, context) => parseSize(value, minBytes, maxBytes, context))
    .meta({ title: 'size', examples: ['64KiB', '10MiB', 512] }) as unknown as z.ZodType<number, SizeText>
}

/** A size, or "none", which is parsed to Number.MAX_SAFE_INTEGER. */
export const sizeOrNone = z.union([z.literal('none').transform(() => Number.MAX_SAFE_INTEGER), size])

/** The shortest exact text for a number of bytes. */
export function formatSize(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB'])
    if (bytes >= UNITS[unit] && bytes % UNITS[unit] === 0) return `${bytes / UNITS[unit]}${unit}`
  return `${bytes}B`
}

function parseSize(value: number | string, minBytes: number, maxBytes: number, context: Context): number {
  const match = PATTERN.exec(String(value))
  if (match === null) {
    const unit = /^\d+\s*([kmgt])i?b?$/i.exec(String(value))?.[1].toUpperCase()
    const hint =
      unit === undefined
        ? 'a whole number with B, KiB, MiB or GiB: "64KiB"'
        : `did you mean "${Number.parseInt(String(value), 10)}${unit}iB"?`
    return complain(context, { code: 'CONFIG_INVALID_VALUE', message: `${JSON.stringify(value)} is not a size`, hint })
  }
  const bytes = Number(match[1]) * UNITS[match[2] ?? '']
  if (bytes >= minBytes && bytes <= maxBytes) return bytes
  const range =
    maxBytes === Number.MAX_SAFE_INTEGER ? `of at least ${formatSize(minBytes)}` : `from ${formatSize(minBytes)} to ${formatSize(maxBytes)}`
  return complain(context, { code: 'CONFIG_OUT_OF_RANGE', message: `a size ${range} is expected, not ${value}` })
}
