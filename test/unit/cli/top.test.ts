import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PoolAnswer, ServerAnswer, StatusAnswer } from '../../../src/cli/answers.ts'
import { type FrameLine, frameOf, type Sample } from '../../../src/cli/top/frame.ts'
import { Screen } from '../../../src/cli/top/screen.ts'

function serverAnswer(name: string, changes: Partial<ServerAnswer> = {}): ServerAnswer {
  const counts = { weight: 1, priority: 0, active: 0, requests: 0, failures: 0, latencyMs: 0 }
  const state = { health: 'up', admin: 'ready', slowStartPercent: null, ejected: false, check: null }
  return { name, address: '10.0.0.1:80', source: 'configuration', ...counts, ...state, ...changes }
}

function sample(atMs: number, requests: number, servers: readonly ServerAnswer[], pool: Partial<PoolAnswer> = {}): Sample {
  const state = { queue: null, breaker: null, panic: false, sessions: null, discovery: [] }
  const status: StatusAnswer = {
    version: '1.0.0',
    engine: { kind: 'uring', reason: '' },
    workers: 2,
    uptimeMs: 3_723_000 + atMs,
    config: { file: null, generation: 4, loadedAt: '' },
    listeners: [{ name: 'web', addresses: [], connections: 3, requests, latencyMs: { p50: 1.234, p99: 20 } }],
    certificates: [],
    pools: [{ name: 'app', algorithm: 'round-robin', available: 1, active: 5, servers, ...state, ...pool }],
  }
  return { status, atMs }
}

const textOf = (lines: readonly FrameLine[]) => lines.map(({ text }) => text).join('\n')

test('a frame shows rates between two samples, states, latency and errors', () => {
  const before = sample(0, 100, [serverAnswer('a', { requests: 50, failures: 1 }), serverAnswer('b')])
  const check = { reason: 'tcp check: connection refused' }
  const servers = [
    serverAnswer('a', { requests: 2550, failures: 3, active: 5, latencyMs: 4.25, health: 'starting', slowStartPercent: 35 }),
    serverAnswer('b', { health: 'down', check }),
  ]
  const now = sample(2000, 2600, servers, { queue: { length: 7, size: 100 }, breaker: 'half-open' })
  assert.equal(
    textOf(frameOf(now, before)),
    `evener 1.0.0   up 1 h 2 min   2 workers   uring   generation 4
1,250 requests/s   3 connections   5 active

LISTENER  CONNECTIONS  REQUESTS/S  P50     P99
web                 3       1,250  1.2 ms  20 ms

pool app (round-robin): 1 of 2 available, queue 7/100, breaker half-open
SERVER  HEALTH         ADMIN  WEIGHT  ACTIVE  REQUESTS/S  LATENCY  ERRORS/S  ERRORS  CHECK
a       starting 35 %  ready       1       5       1,250  4.3 ms          1       3  -
b       down           ready       1       0           0  -               0       0  tcp check: connection refused`,
  )
})

test('there are no rates without an earlier sample, nor against the counts of a process before', () => {
  const before = sample(9000, 500, [serverAnswer('a', { requests: 500 })])
  const now = sample(0, 10, [serverAnswer('a', { requests: 10 })])
  for (const earlier of [undefined, before]) assert.match(textOf(frameOf(now, earlier)), /^- requests\/s/m)
})

test('what is wrong stands out', () => {
  const servers = [serverAnswer('a'), serverAnswer('b', { ejected: true }), serverAnswer('c', { admin: 'drain' })]
  const discovery = [{ source: 'dns app.test', servers: 2, failure: 'no answer within 2000 ms' }]
  const lines = frameOf(sample(0, 0, servers, { available: 0, discovery }), undefined)
  assert.deepEqual(
    lines
      .filter(({ emphasis }) => emphasis === 'bad' || emphasis === 'notice')
      .map(({ text, emphasis }) => [text.split(/[ :]/)[0], emphasis]),
    [
      ['pool', 'bad'],
      ['dns', 'notice'],
      ['b', 'bad'],
      ['c', 'notice'],
    ],
  )
})

test('what a server says cannot command the terminal', () => {
  const check = { reason: 'status \x1b[2J\x07\u202e503' }
  assert.doesNotMatch(textOf(frameOf(sample(0, 0, [serverAnswer('a', { check })]), undefined)), /[\x00-\x09\x0b-\x1f\u202e]/)
})

function terminal(isTTY: boolean, env: Record<string, string> = { TERM: 'xterm', NO_COLOR: '1' }) {
  let written = ''
  let listener: ((bytes: Buffer) => void) | undefined
  const raw: boolean[] = []
  const output = { isTTY, columns: 20, rows: 5, write: (text: string) => void (written += text) }
  const input = {
    isTTY,
    setRawMode: (isRaw: boolean) => void raw.push(isRaw),
    on: (_: 'data', added: (bytes: Buffer) => void) => void (listener = added),
    off: () => void (listener = undefined),
    resume: () => {},
    pause: () => {},
  }
  const take = () => {
    const text = written
    written = ''
    return text
  }
  return {
    screen: new Screen({ output, input, env }),
    raw,
    take,
    press: (keys: string) => listener?.(Buffer.from(keys)),
    isHeard: () => listener !== undefined,
  }
}

const LINES = Array.from({ length: 8 }, (_, index): FrameLine => ({ text: `line ${index} with more than fits`, emphasis: 'none' }))

test('on a terminal frames are drawn over each other on the second screen, cut to its size, and the first is given back', () => {
  const { screen, raw, take, isHeard } = terminal(true)
  screen.enter(() => {})
  assert.equal(take(), '\x1b[?1049h\x1b[?25l')
  screen.draw(LINES)
  const rows = [0, 1, 2, 3].map((index) => `line ${index} with more th…\x1b[K`)
  assert.equal(take(), `\x1b[H${[...rows, 'q ends   ↓ 4 more l…\x1b[K'].join('\r\n')}\x1b[J`)
  screen.leave()
  assert.equal(take(), '\x1b[?25h\x1b[?1049l')
  assert.deepEqual(raw, [true, false])
  assert.equal(isHeard(), false)
})

test('q and Ctrl-C end it, the arrows move', () => {
  const { screen, take, press } = terminal(true)
  let quits = 0
  screen.enter(() => quits++)
  screen.draw(LINES)
  take()
  press('\x1b[B')
  assert.match(take(), /^\x1b\[Hline 1 /)
  press('\x1b[6~')
  assert.match(take(), /^\x1b\[Hline 4 /)
  press('\x1b[6~')
  assert.match(take(), /^\x1b\[Hline 4 /, 'not beyond the end')
  press('\x1b[5~')
  press('\x1b[A')
  assert.match(take(), /^\x1b\[Hline 1 [\s\S]*\x1b\[Hline 0 /)
  press('q')
  press('\x03')
  assert.equal(quits, 2)
})

test('without a terminal, or with one that knows no commands, frames are plain text', () => {
  for (const { screen, take } of [terminal(false), terminal(true, { TERM: 'dumb' })]) {
    screen.enter(() => {})
    screen.draw(LINES.slice(0, 1))
    screen.leave()
    assert.equal(take(), 'line 0 with more than fits\n\n')
  }
})
