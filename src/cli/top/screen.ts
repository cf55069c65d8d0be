import { styleText } from 'node:util'
import type { Emphasis, FrameLine } from './frame.ts'

/** Where frames are drawn: process.stdout, or a stand-in of a test. */
export interface TerminalOutput {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
}

/** Where keys come from. */
export interface TerminalInput {
  readonly isTTY?: boolean
  setRawMode?(isRaw: boolean): unknown
  on(event: 'data', listener: (bytes: Buffer) => void): unknown
  off(event: 'data', listener: (bytes: Buffer) => void): unknown
  resume(): unknown
  pause(): unknown
}

export interface ScreenOptions {
  readonly output: TerminalOutput
  readonly input: TerminalInput
  readonly env: Readonly<Record<string, string | undefined>>
}

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'

const STYLES: Readonly<Record<Emphasis, Parameters<typeof styleText>[0] | undefined>> = {
  none: undefined,
  title: 'bold',
  head: 'dim',
  bad: 'red',
  notice: 'yellow',
}

/**
 * Draws frames over each other on a terminal's second screen, so that the first is as it was when it ends. Where there is no terminal, or
 * one that knows no such commands (TERM=dumb), frames are printed one below the other without any.
 */
export class Screen {
  readonly #options: ScreenOptions
  readonly #isLive: boolean
  readonly #isColoured: boolean
  readonly #receive = (bytes: Buffer): void => this.#keys(bytes.toString('latin1'))
  #frame: readonly FrameLine[] = []
  #first = 0
  #onQuit: () => void = () => {}

  constructor(options: ScreenOptions) {
    const { output, env } = options
    this.#options = options
    this.#isLive = output.isTTY === true && env['TERM'] !== 'dumb'
    this.#isColoured = this.#isLive && !env['NO_COLOR']
  }

  /** `onQuit` is called for q and Ctrl-C. leave() must follow, whatever happens. */
  enter(onQuit: () => void): void {
    const { input, output } = this.#options
    this.#onQuit = onQuit
    if (this.#isLive) output.write(ENTER)
    if (input.isTTY !== true) return
    input.setRawMode?.(true)
    input.on('data', this.#receive)
    input.resume()
  }

  leave(): void {
    const { input, output } = this.#options
    if (input.isTTY === true) {
      input.off('data', this.#receive)
      input.setRawMode?.(false)
      input.pause()
    }
    if (this.#isLive) output.write(LEAVE)
  }

  draw(frame: readonly FrameLine[]): void {
    this.#frame = frame
    this.redraw()
  }

  /** The same again: the terminal has another size, or shows another part. */
  redraw(): void {
    const { output } = this.#options
    if (!this.#isLive) {
      output.write(`${this.#frame.map(({ text }) => text).join('\n')}\n\n`)
      return
    }
    // A terminal may not know its size, and says 0.
    const [columns, rows] = [output.columns || 80, output.rows || 24]
    const room = Math.max(1, rows - 1)
    this.#first = Math.max(0, Math.min(this.#first, this.#frame.length - room))
    const shown = this.#frame.slice(this.#first, this.#first + room).map((line) => this.#paint(line, columns))
    const below = this.#frame.length - this.#first - room
    const foot = this.#paint({ text: `q ends${below > 0 ? `   ↓ ${below} more lines` : ''}`, emphasis: 'head' }, columns)
    output.write(`${HOME}${[...shown, foot].map((text) => text + CLEAR_LINE).join('\r\n')}${CLEAR_BELOW}`)
  }

  #paint({ text, emphasis }: FrameLine, columns: number): string {
    const cut = text.length > columns ? `${text.slice(0, columns - 1)}…` : text
    const style = STYLES[emphasis]
    return this.#isColoured && style !== undefined ? styleText(style, cut, { validateStream: false }) : cut
  }

  #keys(keys: string): void {
    if (/[qQ\x03\x04]/.test(keys) || keys === '\x1b') this.#onQuit()
    const page = Math.max(1, (this.#options.output.rows || 24) - 2)
    const steps: Readonly<Record<string, number>> = { '\x1b[A': -1, k: -1, '\x1b[B': 1, j: 1, '\x1b[5~': -page, '\x1b[6~': page, ' ': page }
    const step = steps[keys]
    if (step === undefined) return
    this.#first = Math.max(0, this.#first + step)
    this.redraw()
  }
}
