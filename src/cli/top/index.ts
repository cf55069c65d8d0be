import { setTimeout as pause } from 'node:timers/promises'
import { Command, InvalidArgumentError } from 'commander'
import { type AdminFlags, adminOptions, clientOf } from '../admin-options.ts'
import type { StatusAnswer } from '../answers.ts'
import { type FrameLine, frameOf, type Sample } from './frame.ts'
import { Screen } from './screen.ts'

interface TopFlags extends AdminFlags {
  readonly interval: number
  readonly once?: boolean
}

export function topCommand(): Command {
  return adminOptions(new Command('top').description('watch listeners, pools and servers live; q ends it'))
    .option('--interval <seconds>', 'time between two frames', readInterval, 1)
    .option('--once', 'print one frame and end')
    .action((flags: TopFlags) => (flags.once ? printOnce(flags) : watch(flags)))
}

async function printOnce(flags: TopFlags): Promise<void> {
  const before = await sample(flags)
  await pause(flags.interval * 1000)
  const lines = frameOf(await sample(flags), before)
  process.stdout.write(`${lines.map(({ text }) => text).join('\n')}\n`)
}

async function watch(flags: TopFlags): Promise<void> {
  const screen = new Screen({ output: process.stdout, input: process.stdin, env: process.env })
  const ending = new AbortController()
  const quit = (): void => ending.abort()
  const redraw = (): void => screen.redraw()
  for (const signal of SIGNALS) process.on(signal, quit)
  process.stdout.on('resize', redraw)
  // Whoever read the frames is gone: "evener top | head".
  process.stdout.on('error', quit)
  screen.enter(quit)
  try {
    await drawUntil(ending.signal, screen, flags)
  } finally {
    screen.leave()
    process.stdout.off('resize', redraw)
    for (const signal of SIGNALS) process.off(signal, quit)
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

async function drawUntil(ended: AbortSignal, screen: Screen, flags: TopFlags): Promise<void> {
  let before: Sample | undefined
  let frame: FrameLine[] = []
  while (!ended.aborted) {
    try {
      const now = await sample(flags)
      frame = frameOf(now, before)
      before = now
      screen.draw(frame)
    } catch (error) {
      // It may come back: the last frame stays below what is wrong.
      screen.draw([{ text: (error as Error).message, emphasis: 'bad' }, { text: '', emphasis: 'none' }, ...frame])
    }
    await pause(flags.interval * 1000, undefined, { signal: ended }).catch(() => {})
  }
}

async function sample(flags: AdminFlags): Promise<Sample> {
  return { status: await clientOf(flags).get<StatusAnswer>('/api/v1/status'), atMs: performance.now() }
}

function readInterval(text: string): number {
  const seconds = Number(text)
  if (!(seconds >= 0.1 && seconds <= 3600)) throw new InvalidArgumentError('seconds from 0.1 to 3600 are expected.')
  return seconds
}
