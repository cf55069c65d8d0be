import { type ChildProcess, spawn } from 'node:child_process'
import type { CheckCommand, CheckExecute, CheckProcess, CheckProcessEvents } from '../pool/index.ts'

const MAX_KEPT_BYTES = 4096
const MAX_OUTPUT_BYTES = 1024 * 1024
/** What is still in the pipes when a program has ended comes at once; whoever keeps them open longer is not waited for. */
const LAST_OUTPUT_MS = 100
const PATH = process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'

/** Programs for exec checks: each leads a process group of its own, so that all that it starts ends with it. */
export const checkExecute: CheckExecute = (command, events) => {
  try {
    return new CheckProgram(command, events)
  } catch (error) {
    // Where memory is short, spawn() throws instead of telling.
    queueMicrotask(() => events.failed(`${command.file} cannot be run: ${(error as Error).message}`))
    return { kill: () => {} }
  }
}

class CheckProgram implements CheckProcess {
  readonly #child: ChildProcess
  readonly #events: CheckProcessEvents
  readonly #kept: Buffer[] = []
  #bytes = 0
  #isOver = false
  #hasGroup = true
  #lastOutput: NodeJS.Timeout | undefined

  constructor({ file, arguments: words, environment }: CheckCommand, events: CheckProcessEvents) {
    this.#events = events
    this.#child = spawn(file, words, {
      cwd: '/',
      // The balancer's own environment may have secrets that are not for checks.
      env: { PATH, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child.once('error', (error: NodeJS.ErrnoException) => this.#fail(`${file} cannot be run: ${error.code ?? error.message}`))
    this.#child.stdout?.on('data', (bytes: Buffer) => this.#keep(bytes))
    this.#child.stderr?.on('data', (bytes: Buffer) => this.#keep(bytes))
    this.#child.once('exit', (status, signal) => this.#exited(status, signal))
  }

  kill(): void {
    this.#isOver = true
    clearTimeout(this.#lastOutput)
    this.#killGroup()
    this.#child.stdout?.destroy()
    this.#child.stderr?.destroy()
  }

  #keep(bytes: Buffer): void {
    if (this.#bytes < MAX_KEPT_BYTES) this.#kept.push(bytes.subarray(0, MAX_KEPT_BYTES - this.#bytes))
    this.#bytes += bytes.length
    if (this.#bytes > MAX_OUTPUT_BYTES) this.#fail('more than 1 MiB of output')
  }

  #exited(status: number | null, signal: string | null): void {
    if (this.#isOver) return
    this.#killGroup()
    // From here on the number may be that of another group.
    this.#hasGroup = false
    const tell = (): void => {
      if (this.#isOver) return
      this.kill()
      this.#events.exited(status, signal, Buffer.concat(this.#kept).toString('utf8'))
    }
    this.#child.once('close', tell)
    this.#lastOutput = setTimeout(tell, LAST_OUTPUT_MS)
  }

  #fail(reason: string): void {
    if (this.#isOver) return
    this.kill()
    this.#events.failed(reason)
  }

  #killGroup(): void {
    if (!this.#hasGroup || this.#child.pid === undefined) return
    try {
      process.kill(-this.#child.pid, 'SIGKILL')
    } catch {
      // Nobody of the group is left.
    }
  }
}
