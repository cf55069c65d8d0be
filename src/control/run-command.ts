import { spawn } from 'node:child_process'

/** Of what a command says when it fails only so much is told. */
const MAX_STDERR_BYTES = 512
/** What commands inherit: not our environment, in which there may be secrets of the configuration. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'] as const

/**
 * Runs a program without a shell; `input` is on its standard input. Resolves when it has ended with 0, rejects with words. `signal` kills it with all
 * that it has started.
 */
export function runCommand(
  [program, ...words]: readonly string[],
  environment: Readonly<Record<string, string>>,
  input: string,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const inherited = INHERITED.map((name) => [name, process.env[name]]).filter(([, value]) => value !== undefined)
    // A group of its own, so that what it starts ends with it.
    const child = spawn(program, words, {
      env: { ...Object.fromEntries(inherited), ...environment },
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    })
    let said = ''
    const kill = (): void => {
      if (child.pid !== undefined) killGroup(child.pid)
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', kill, { once: true })
    child.once('error', (error) => reject(new Error(`it cannot be run: ${error.message}`)))
    child.stderr.on('data', (chunk: Buffer) => {
      if (said.length < MAX_STDERR_BYTES) said += chunk.toString()
    })
    child.once('exit', (code, killedBy) => {
      signal.removeEventListener('abort', kill)
      if (code === 0) resolve()
      else reject(new Error(`it ended with ${code ?? killedBy}${said === '' ? '' : `: ${said.slice(0, MAX_STDERR_BYTES).trim()}`}`))
    })
    // A command that does not read its input is none the worse.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    if (signal.aborted) kill()
  })
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}
