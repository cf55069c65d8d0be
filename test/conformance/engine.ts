import { describe } from 'node:test'
import type { Backend } from '../support/engine.ts'
import { backpressure } from './engine-backpressure.ts'
import { churn } from './engine-churn.ts'
import { closing } from './engine-close.ts'
import { connecting } from './engine-connect.ts'
import { datagrams, ownAddresses } from './engine-datagrams.ts'
import { handlers } from './engine-handlers.ts'
import { listening } from './engine-listen.ts'
import { listeners } from './engine-listeners.ts'
import { memory } from './engine-memory.ts'
import { shutdown } from './engine-shutdown.ts'
import { splicing } from './engine-splice.ts'
import { streaming } from './engine-stream.ts'
import { timers } from './engine-timers.ts'
import { tls } from './engine-tls.ts'
import { tlsChallenges } from './engine-tls-challenges.ts'
import { tlsMemory } from './engine-tls-memory.ts'
import { tlsRefusals } from './engine-tls-refusals.ts'

/** Against a hang only: the machine may be busy. */
const TIMEOUT_MS = 240_000

/** What every engine must do: the sentences of src/engine/engine.ts and connection.ts, one topic each, against peers of node:net. */
export function engineSuite(backend: Backend): void {
  const topics = {
    listening,
    listeners,
    connecting,
    streaming,
    backpressure,
    splicing,
    closing,
    handlers,
    memory,
    churn,
    timers,
    datagrams,
    ownAddresses,
    shutdown,
    tls,
    'tls refusals': tlsRefusals,
    'tls memory': tlsMemory,
    'tls challenges': tlsChallenges,
  }
  for (const [name, topic] of Object.entries(topics)) {
    describe(`${backend.kind} engine: ${name}`, { timeout: TIMEOUT_MS }, () => topic(backend))
  }
}
