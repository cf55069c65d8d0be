import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { createEventLog, type EventLevel } from '../../../src/observe/index.ts'

const NOW = (): Date => new Date('2026-11-21T04:33:34.123Z')

function logTo(isTTY: boolean, level?: EventLevel) {
  const lines: string[] = []
  const log = createEventLog({ isTTY, write: (line) => lines.push(line) }, NOW, level)
  return { log, lines }
}

describe('event log', () => {
  it('is one line for people on a terminal', () => {
    const { log, lines } = logTo(true)
    log.info('listener web on 127.0.0.1:8080')
    log.warn('careful')
    log.error('no')
    assert.deepEqual(lines.map(stripVTControlCharacters), [
      '04:33:34 listener web on 127.0.0.1:8080\n',
      '04:33:34 warn: careful\n',
      '04:33:34 error: no\n',
    ])
    assert.notEqual(lines[2], stripVTControlCharacters(lines[2]), 'errors have a colour')
  })

  it('is JSON elsewhere', () => {
    const { log, lines } = logTo(false)
    log.error('"no"')
    assert.deepEqual(JSON.parse(lines[0]), { time: '2026-11-21T04:33:34.123Z', level: 'error', message: '"no"' })
  })

  it('leaves out what is below its level', () => {
    for (const [level, expected] of [
      [undefined, 3],
      ['debug', 4],
      ['warn', 2],
      ['error', 1],
    ] as const) {
      const { log, lines } = logTo(false, level)
      log.debug('a')
      log.info('b')
      log.warn('c')
      log.error('d')
      assert.equal(lines.length, expected, level)
    }
  })

  it('keeps an event in one line, without commands for the terminal, and within bounds', () => {
    const nasty = `a\n04:33:35 forged\r\x1b[2J\x9b2J\u202egnp.exe`
    for (const isTTY of [true, false]) {
      const { log, lines } = logTo(isTTY)
      log.warn(nasty)
      log.warn('x'.repeat(100_000))
      assert.equal(lines[0].split('\n').length, 2)
      assert.ok(!/[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202e]/.test(lines[0]))
      assert.ok(!lines[0].includes('\x1b[2J'))
      assert.ok(lines[1].length < 5000)
      if (!isTTY) assert.equal(JSON.parse(lines[0]).message, nasty)
    }
  })
})
