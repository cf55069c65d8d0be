import { formatAddress, type SocketAddress } from '../../core/index.ts'
import type { ProxyWorker } from '../worker.ts'
import { DatagramListener } from './listener.ts'
import type { UdpListenerPlan } from './plan.ts'
import { DatagramPort } from './port.ts'
import type { DatagramSite } from './site.ts'

/** Ports by address as the configuration writes it: bound already, or bound for a Plan that is not in force yet. */
export type PreparedPorts = ReadonlyMap<string, DatagramPort>

/** The udp listeners of a worker, and how they pass from one Plan to the next; see Sites. */
export class DatagramSites {
  readonly #worker: ProxyWorker
  #listeners = new Map<string, DatagramListener>()
  #ports: PreparedPorts = new Map()

  constructor(worker: ProxyWorker) {
    this.#worker = worker
  }

  /** Rejects with EvenerError LISTEN_* when an address cannot be bound; then nothing has changed. */
  async prepare(listeners: readonly UdpListenerPlan[]): Promise<PreparedPorts> {
    const ports = new Map<string, DatagramPort>()
    try {
      for (const { bind } of listeners) for (const address of bind) ports.set(formatAddress(address), await this.#bind(address))
    } catch (error) {
      this.rollback(ports)
      throw error
    }
    return ports
  }

  rollback(prepared: PreparedPorts): void {
    for (const [key, port] of prepared) if (this.#ports.get(key) !== port) port.retire()
  }

  /** `sites` are those of `listeners`, in that order. */
  commit(listeners: readonly UdpListenerPlan[], sites: readonly DatagramSite[], prepared: PreparedPorts): void {
    const states = new Map<string, DatagramListener>()
    for (const [index, site] of sites.entries()) {
      const state = this.#listeners.get(site.name) ?? new DatagramListener(this.#worker, site.name, site)
      state.current = site
      states.set(site.name, state)
      for (const address of listeners[index].bind) prepared.get(formatAddress(address))?.attach(state)
    }
    this.#listeners = states
    for (const [key, port] of this.#ports) if (prepared.get(key) !== port) port.retire()
    this.#ports = prepared
  }

  /** Takes no new sessions. */
  close(): void {
    for (const port of this.#ports.values()) port.retire()
    this.#ports = new Map()
  }

  addressesOf({ bind }: UdpListenerPlan, prepared: PreparedPorts): string[] {
    return bind.map((address) => formatAddress(prepared.get(formatAddress(address))?.socket.local ?? address))
  }

  async #bind(address: SocketAddress): Promise<DatagramPort> {
    const kept = this.#ports.get(formatAddress(address))
    if (kept !== undefined) return kept
    const port = new DatagramPort()
    port.socket = await this.#worker.engine.bindDatagrams({ address, reusePort: this.#worker.sharesPorts }, port)
    return port
  }
}
