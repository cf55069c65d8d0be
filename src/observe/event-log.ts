import { styleText } from 'node:util'

export type EventLevel = 'info' | 'warn' | 'error'

/** What the control thread reports: one line for each event. */
export interface EventLog {
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/** Where lines go; a stream, or a list in tests. */
export interface EventStream {
  readonly isTTY?: boolean
  write(line: string): unknown
}

const COLOURS = { info: 'dim', warn: 'yellow', error: 'red' } as const

/** For people on a terminal, JSON with time and level elsewhere. */
export function createEventLog(stream: EventStream, now: () => Date = () => new Date()): EventLog {
  const write = (level: EventLevel, message: string): void => {
    const time = now().toISOString()
    if (stream.isTTY) {
      const mark = level === 'info' ? '' : `${level}: `
      stream.write(`${styleText('dim', time.slice(11, 19))} ${styleText(COLOURS[level], `${mark}${message}`)}\n`)
    } else stream.write(`${JSON.stringify({ time, level, message })}\n`)
  }
  return {
    info: (message) => write('info', message),
    warn: (message) => write('warn', message),
    error: (message) => write('error', message),
  }
}
