import { spawn } from 'node:child_process'
import type { StateEvent } from '../state-events.ts'
import type { CommandHookPlan, WebHookPlan } from './option.ts'

/** What a hook gets to see of an event. */
export interface HookEvent {
  /** ISO time. */
  readonly time: string
  readonly kind: StateEvent['kind']
  readonly pool: string
  readonly server: string | null
  readonly state: string
  readonly reason: string
}

/** Resolves once it was told; rejects with words. `signal` ends it early. */
export type Deliver = (event: HookEvent, signal: AbortSignal) => Promise<void>

/** Of what a command says when it fails only so much is logged. */
const MAX_STDERR_BYTES = 512
/** What commands inherit: not our environment, in which there may be secrets of the configuration. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'] as const

export function commandDelivery({ command: [program, ...words] }: CommandHookPlan): Deliver {
  return (event, signal) =>
    new Promise((resolve, reject) => {
      // A group of its own, so that what it starts ends with it.
      const child = spawn(program, words, { env: environmentOf(event), stdio: ['pipe', 'ignore', 'pipe'], detached: true })
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
      child.stdin.end(`${JSON.stringify(event)}\n`)
    })
}

export function webDelivery({ url, headers }: WebHookPlan): Deliver {
  const own = Object.fromEntries(headers.map(({ name, value }) => [name, value]))
  return async (event, signal) => {
    const body = JSON.stringify(event)
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'evener-hook', ...own },
      body,
      redirect: 'error',
      signal,
    }).catch((error: Error) => {
      throw signal.aborted ? (signal.reason as Error) : new Error((error.cause as Error | undefined)?.message || error.message)
    })
    await response.body?.cancel()
    if (!response.ok) throw new Error(`status ${response.status}`)
  }
}

function environmentOf(event: HookEvent): NodeJS.ProcessEnv {
  const inherited = INHERITED.map((name) => [name, process.env[name]]).filter(([, value]) => value !== undefined)
  return {
    ...Object.fromEntries(inherited),
    EVENER_EVENT: event.kind,
    EVENER_POOL: event.pool,
    EVENER_SERVER: event.server ?? '',
    EVENER_STATE: event.state,
    // A NUL cannot be passed on, and servers choose part of these words.
    EVENER_REASON: event.reason.replaceAll('\0', ' '),
    EVENER_TIME: event.time,
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}
