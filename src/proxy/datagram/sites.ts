import { formatAddress, type SocketAddress } from '../../core/index.ts'
import { keptSocket, socketKey } from '../socket-key.ts'
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
      for (const { name, bind } of listeners) {
        for (const [position, address] of bind.entries()) {
          const key = socketKey(name, position, address)
          ports.set(key, await this.#bind(key, address))
        }
      }
    } catch (error) {
      this.rollback(ports)
      throw error
    }
    return ports
  }

  rollback(prepared: PreparedPorts): void {
    const inForce = new Set(this.#ports.values())
    for (const port of prepared.values()) if (!inForce.has(port)) port.retire()
  }

  /** `sites` are those of `listeners`, in that order. */
  commit(listeners: readonly UdpListenerPlan[], sites: readonly DatagramSite[], prepared: PreparedPorts): void {
    const states = new Map<string, DatagramListener>()
    for (const [index, site] of sites.entries()) {
      const state = this.#listeners.get(site.name) ?? new DatagramListener(this.#worker, site.name, site)
      state.current = site
      states.set(site.name, state)
      const { name, bind } = listeners[index]
      for (const [position, address] of bind.entries()) prepared.get(socketKey(name, position, address))?.attach(state)
    }
    this.#listeners = states
    const kept = new Set(prepared.values())
    for (const port of this.#ports.values()) if (!kept.has(port)) port.retire()
    this.#ports = prepared
  }

  /** Takes no new sessions. */
  close(): void {
    for (const port of this.#ports.values()) port.retire()
    this.#ports = new Map()
  }

  addressesOf({ name, bind }: UdpListenerPlan, prepared: PreparedPorts): string[] {
    return bind.map((address, position) => formatAddress(prepared.get(socketKey(name, position, address))?.socket.local ?? address))
  }

  async #bind(key: string, address: SocketAddress): Promise<DatagramPort> {
    const kept = keptSocket(this.#ports, key, ({ socket }) => socket.local)
    if (kept !== undefined) return kept
    const port = new DatagramPort()
    port.socket = await this.#worker.engine.bindDatagrams({ address, reusePort: this.#worker.sharesPorts }, port)
    return port
  }
}
