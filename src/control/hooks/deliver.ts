import { runCommand } from '../run-command.ts'
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

export function commandDelivery({ command }: CommandHookPlan): Deliver {
  return (event, signal) => runCommand(command, environmentOf(event), `${JSON.stringify(event)}\n`, signal)
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

function environmentOf(event: HookEvent): Record<string, string> {
  return {
    EVENER_EVENT: event.kind,
    EVENER_POOL: event.pool,
    EVENER_SERVER: event.server ?? '',
    EVENER_STATE: event.state,
    // A NUL cannot be passed on, and servers choose part of these words.
    EVENER_REASON: event.reason.replaceAll('\0', ' '),
    EVENER_TIME: event.time,
  }
}
