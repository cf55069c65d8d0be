import { z } from 'zod'
import { complain } from '../schema/index.ts'

export interface StatusRange {
  readonly from: number
  readonly to: number
}

/** "200", "200-399" or "200,204", parsed to inclusive ranges, sorted and not overlapping. */
export const statusRanges = z
  .union([z.int(), z.string()])
  .transform((text, context): readonly StatusRange[] => {
    const ranges = String(text).split(',').map(readRange)
    if (ranges.every((range) => range !== undefined)) return merge(ranges)
    return complain(context, {
      code: 'CONFIG_INVALID_VALUE',
      message: `${JSON.stringify(text)} is no range of statuses`,
      hint: '100 to 599: "200", "200-399" or "200,204"',
    })
  })
  .meta({ title: 'statuses', examples: ['200-399', '200,204'] }) as unknown as z.ZodType<readonly StatusRange[], string | number>

function readRange(text: string): StatusRange | undefined {
  const match = /^\s*([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?\s*$/.exec(text)
  if (match === null) return undefined
  const from = Number(match[1])
  const to = Number(match[2] ?? match[1])
  return from <= to ? { from, to } : undefined
}

function merge(ranges: readonly StatusRange[]): StatusRange[] {
  const merged: { from: number; to: number }[] = []
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last !== undefined && range.from <= last.to + 1) last.to = Math.max(last.to, range.to)
    else merged.push({ ...range })
  }
  return merged
}
