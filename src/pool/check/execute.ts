/** A program to run: no shell, no inherited environment. */
export interface CheckCommand {
  /** An absolute path, and what it is given. */
  readonly file: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** A program that runs for a check. */
export interface CheckProcess {
  /** Ends it and all that it has started. No event follows. */
  kill(): void
}

/** Nothing is called before execute() has returned, and one of these once. */
export interface CheckProcessEvents {
  /** `status` is null where a signal ended it; `output` is the begin of what it wrote. */
  exited(status: number | null, signal: string | null, output: string): void
  /** It could not be run, or did what no check may. `reason` in words without a full stop. */
  failed(reason: string): void
}

/** How exec checks run programs. The control thread brings one over node:child_process. */
export type CheckExecute = (command: CheckCommand, events: CheckProcessEvents) => CheckProcess
