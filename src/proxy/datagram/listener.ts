import { PickContext } from '../../pool/index.ts'
import type { ProxyWorker } from '../worker.ts'
import type { DatagramSite } from './site.ts'

/** A udp listener over any number of Plans. What the Plan says of it is in `current`, which a reload replaces: sessions stay. */
export class DatagramListener {
  readonly worker: ProxyWorker
  readonly name: string
  current: DatagramSite
  /** Of all its ports. */
  sessions = 0
  /** Scratch, for one pick at a time. */
  readonly pick: PickContext

  constructor(worker: ProxyWorker, name: string, current: DatagramSite) {
    this.worker = worker
    this.name = name
    this.current = current
    this.pick = new PickContext(worker.random)
  }

  began(): void {
    this.sessions++
    this.worker.sessions.began()
  }

  ended(): void {
    this.sessions--
    this.worker.sessions.ended()
  }
}
