import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { z } from 'zod'
import { complaintOf, duration, durationOrNone, formatDuration, formatSize, size, sizeOrNone } from '../../../src/schema/index.ts'

/** The parsed value, or what is wrong with it: code, sentence and way out. */
function read(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const complaint = complaintOf(result.error.issues[0])
  return complaint === undefined ? result.error.issues[0].code : [complaint.code, complaint.message, complaint.hint]
}

describe('a duration', () => {
  it('is a number with its unit, in milliseconds', () => {
    const texts = ['1ms', '500ms', '2s', '1.5m', '0.5s', '24d']
    assert.deepEqual(
      texts.map((text) => read(duration, text)),
      [1, 500, 2000, 90_000, 500, 24 * 86_400_000],
    )
  })

  it('without a unit is asked for one', () => {
    assert.deepEqual(read(duration, '5'), ['CONFIG_INVALID_VALUE', '"5" is not a duration', 'which unit: "5s", "5ms"?'])
  })

  it('has one unit, and no sign', () => {
    for (const text of ['1h30m', '-1s', '1 s', '1S', '', '.5s'])
      assert.equal((read(duration, text) as string[])[0], 'CONFIG_INVALID_VALUE', text)
  })

  it('fits into a timer', () => {
    for (const text of ['0s', '0.1ms', '25d', '9999999999d'])
      assert.equal((read(duration, text) as string[])[0], 'CONFIG_OUT_OF_RANGE', text)
  })

  it('may be "none" only where the option says so', () => {
    assert.equal(read(durationOrNone, 'none'), 0)
    assert.equal((read(duration, 'none') as string[])[0], 'CONFIG_INVALID_VALUE')
  })

  it('is written in the largest unit that is exact', () => {
    assert.deepEqual([1, 1500, 90_000, 7_200_000, 172_800_000].map(formatDuration), ['1ms', '1500ms', '90s', '2h', '2d'])
  })
})

describe('a size', () => {
  it('is a number of bytes, or one with a binary unit', () => {
    assert.deepEqual(
      [512, '512', '512B', '64KiB', '2MiB', 0].map((value) => read(size, value)),
      [512, 512, 512, 65_536, 2_097_152, 0],
    )
  })

  it('in decimal or doubtful units is asked whether the binary one is meant', () => {
    for (const text of ['64k', '64KB', '64kib'])
      assert.deepEqual(read(size, text), ['CONFIG_INVALID_VALUE', `"${text}" is not a size`, 'did you mean "64KiB"?'])
  })

  it('is whole and not negative', () => {
    for (const value of [-1, 1.5, '1.5KiB', '-1', '']) assert.ok(Array.isArray(read(size, value)), String(value))
    assert.equal((read(size, '9999999TiB') as string[])[0], 'CONFIG_OUT_OF_RANGE')
  })

  it('is unlimited as "none" where the option says so', () => {
    assert.equal(read(sizeOrNone, 'none'), Number.MAX_SAFE_INTEGER)
  })

  it('is written in the largest unit that is exact', () => {
    assert.deepEqual([0, 1000, 1024, 65_536, 1024 ** 3].map(formatSize), ['0B', '1000B', '1KiB', '64KiB', '1GiB'])
  })
})
