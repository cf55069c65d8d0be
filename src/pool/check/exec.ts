import type { SocketAddress } from '../../core/index.ts'
import type { CheckDelay } from './connect.ts'
import type { CheckCommand, CheckExecute, CheckProcess, CheckProcessEvents } from './execute.ts'
import type { ExecProbePlan } from './plan.ts'
import type { Run } from './poll.ts'
import { fail, pass, quote, type Verdict } from './protocol.ts'

/** Programs of exec checks that run at once. */
export const MAX_PROCESSES = 16

/** One run of a program. Its exit status decides, and the first line that it wrote is the reason. */
export class ExecRun implements Run, CheckProcessEvents {
  readonly #plan: ExecProbePlan
  readonly #timeoutMs: number
  readonly #done: (verdict: Verdict) => void
  #process: CheckProcess | null = null
  #cancelTimeout: () => void = () => {}
  #isOver = false

  constructor(plan: ExecProbePlan & { readonly timeoutMs: number }, done: (verdict: Verdict) => void) {
    this.#plan = plan
    this.#timeoutMs = plan.timeoutMs
    this.#done = done
  }

  start(address: SocketAddress, execute: CheckExecute, delay: CheckDelay): this {
    this.#cancelTimeout = delay(this.#timeoutMs, () => this.#settle(fail(`not ended within ${this.#timeoutMs} ms`)))
    this.#process = execute(commandOf(this.#plan, address, this.#timeoutMs), this)
    return this
  }

  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelTimeout()
    this.#process?.kill()
  }

  exited(status: number | null, signal: string | null, output: string): void {
    const line = output.trim().split('\n')[0]
    const words = line === '' ? '' : `: ${quote(line)}`
    if (status === null) this.#settle(fail(`ended by ${signal ?? 'a signal'}${words}`))
    else this.#settle((this.#plan.exitStatus.includes(status) ? pass : fail)(`exit status ${status}${words}`))
  }

  failed(reason: string): void {
    this.#settle(fail(reason))
  }

  #settle(verdict: Verdict): void {
    if (this.#isOver) return
    this.cancel()
    this.#done(verdict)
  }
}

/** "{address}" and "{port}" stand for the server's, and the same is in the environment. */
function commandOf(plan: ExecProbePlan, where: SocketAddress, timeoutMs: number): CheckCommand {
  const address = where.family === 'unix' ? where.path : where.host
  const port = where.family === 'unix' ? '' : String(where.port)
  const [file, ...rest] = plan.command
  return {
    file,
    arguments: rest.map((argument) => argument.replaceAll('{address}', address).replaceAll('{port}', port)),
    environment: {
      ...plan.environment,
      EVENER_SERVER_ADDRESS: address,
      EVENER_SERVER_PORT: port,
      EVENER_CHECK_TIMEOUT: String(timeoutMs / 1000),
    },
  }
}
