import { planFromInput } from '../../src/config/index.ts'
import { checkConnect } from '../../src/control/check-connect.ts'
import { checkExecute } from '../../src/control/check-execute.ts'
import { makeCheck } from '../../src/pool/check/make.ts'
import type { CheckEnvironment } from '../../src/pool/check/poll.ts'
import type { Verdict } from '../../src/pool/check/protocol.ts'
import { CheckQueue } from '../../src/pool/check/queue.ts'
import { SeededRandom, systemDelay } from '../../src/pool/index.ts'

/** Runs a check once, as the product would, with what stands under `check` in a configuration: "ok: status 200" or "failed: …". */
export async function runCheck(address: string, check: object): Promise<string> {
  const { plan, diagnostics } = planFromInput({
    listeners: { web: { bind: ':0', http: { routes: [{ pool: 'app' }] } } },
    pools: { app: { servers: [address], check: { timeout: '5s', ...check } } },
  })
  const [pool] = plan?.pools ?? []
  if (pool?.check === undefined) throw new Error(diagnostics.map(({ message }) => message).join('; '))
  const { promise, resolve } = Promise.withResolvers<Verdict>()
  makeCheck(pool.check, pool.servers[0].address).begin(environment(), resolve)
  const { ok, reason } = await promise
  return `${ok ? 'ok' : 'failed'}: ${reason}`
}

function environment(): CheckEnvironment {
  return {
    connect: checkConnect,
    delay: systemDelay,
    random: new SeededRandom(1),
    execute: checkExecute,
    queue: new CheckQueue(1),
    processQueue: new CheckQueue(1),
    wallClock: () => Date.now(),
    now: () => performance.now(),
  }
}
