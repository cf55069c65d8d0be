import { styleText } from 'node:util'

/** In order of weight. */
export const EVENT_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type EventLevel = (typeof EVENT_LEVELS)[number]

/** What the control thread reports: one line for each event. */
export interface EventLog {
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/** Where lines go; a stream, or a list in tests. */
export interface EventStream {
  readonly isTTY?: boolean
  write(line: string): unknown
}

const COLOURS = { debug: 'dim', info: 'reset', warn: 'yellow', error: 'red' } as const
/** An event may quote what a server sent; nobody needs more of that. */
const MAX_MESSAGE_LENGTH = 4096

/**
 * For people on a terminal ("04:33:34 warn: …"), JSON with time and level elsewhere. Events below `level` are left out. An event is one line
 * whatever is in it: control characters are escaped, so that what a server or a file said can neither forge an event nor
 * send the terminal commands.
 */
export function createEventLog(stream: EventStream, now: () => Date = () => new Date(), level: EventLevel = 'info'): EventLog {
  const least = EVENT_LEVELS.indexOf(level)
  const write = (level: EventLevel, text: string): void => {
    if (EVENT_LEVELS.indexOf(level) < least) return
    const time = now().toISOString()
    const message = text.length > MAX_MESSAGE_LENGTH ? `${text.slice(0, MAX_MESSAGE_LENGTH)}...` : text
    if (stream.isTTY !== true) {
      stream.write(`${escapeControls(JSON.stringify({ time, level, message }))}\n`)
      return
    }
    const mark = level === 'info' ? '' : `${level}: `
    stream.write(`${paint('dim', time.slice(11, 19))} ${paint(COLOURS[level], mark + escapeControls(message))}\n`)
  }
  return {
    debug: (message) => write('debug', message),
    info: (message) => write('info', message),
    warn: (message) => write('warn', message),
    error: (message) => write('error', message),
  }
}

/** In colour, unless the terminal's owner wants none (https://no-color.org). */
function paint(colour: Parameters<typeof styleText>[0], line: string): string {
  // validateStream looks at process.stdout, which is another stream.
  return process.env['NO_COLOR'] ? line : styleText(colour, line, { validateStream: false })
}

/** C0, DEL, C1 and the marks that turn the direction of text, as \uXXXX. */
function escapeControls(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
