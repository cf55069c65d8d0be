import type { Server } from 'node:net'
import type { Plan } from '../config/index.ts'
import type { EventLog } from '../observe/index.ts'
import {
  type FlowInfo,
  type PacketAddress,
  type PacketListenerPlan,
  type PacketPlan,
  PacketPlane,
  type PacketServer,
  type PacketStatus,
} from '../packet/index.ts'
import type { PoolPlan, PoolSlots, PoolTable, SlotAssignment } from '../pool/index.ts'
import { claimPins } from './packet-host.ts'
import { serversOf, serviceOf } from './packet-services.ts'

/** How often the pool table is asked whether a pool has changed; what is known to have changed is told at once. */
const SYNC_MS = 100
const NEIGHBOURS_MS = 5000
const AGE_MS = 2000
/** Ageing takes at most this share of the control thread's time, however many flows there are. */
const AGE_SHARE = 0.05
const DRAIN_POLL_MS = 50
const MEETING_MS = 500
const MEETING_POLL_MS = 10

/** A listener in force, with what the kernel was last told of its servers. */
interface Forwarded {
  readonly listener: PacketListenerPlan
  readonly pool: PoolPlan
  readonly slots: PoolSlots
  epoch: number
  servers: readonly PacketServer[]
}

/**
 * The packet listeners of the Plan in force. It opens the packet plane with the first and closes it with the last, tells the kernel of
 * every change of weight, health and drain, ages flows and keeps neighbours known. Without such a listener it costs nothing.
 */
export class Packets {
  readonly #table: PoolTable
  readonly #log: EventLog
  #plane: PacketPlane | null = null
  #plan: PacketPlan | undefined
  #forwarded: readonly Forwarded[] = []
  #owner: Server | null = null
  #timers: NodeJS.Timeout[] = []

  constructor(table: PoolTable, log: EventLog) {
    this.#table = table
    this.#log = log
  }

  /** Puts the packet listeners of a Plan into force. Rejects with EvenerError, and then those that were in force still are. */
  async apply(plan: Plan, slots: SlotAssignment): Promise<void> {
    const { packet } = plan
    if (packet === undefined) return this.#end(false)
    const forwarded = this.#forward(packet, plan, slots)
    const services = forwarded.map(({ listener, pool, slots: own }) => serviceOf(listener, pool, own, this.#table))
    if (this.#plane === null) {
      if (packet.pins !== undefined) this.#owner = await claimPins(packet.pins)
      try {
        this.#plane = PacketPlane.open({ ...optionsOf(packet), interfaces: interfacesOf(packet) }, services)
      } catch (error) {
        this.#release()
        throw error
      }
      for (const { listener } of forwarded) {
        this.#log.info(`listener ${listener.name} on ${listener.addresses.map(describeAddress).join(', ')}, forward: ${listener.forward}`)
      }
      for (const line of this.#plane.describe()) {
        if (line.includes('generic')) this.#log.warn(line)
        else this.#log.info(line)
      }
      this.#startTimers()
    } else this.#change(this.#plane, packet, services)
    this.#plan = packet
    this.#forwarded = forwarded
    await this.#meetNeighbours()
  }

  /** Tells the kernel what has changed in the pool table. */
  sync(): void {
    for (const each of this.#forwarded) {
      const epoch = this.#table.epoch(each.slots.row)
      if (epoch === each.epoch) continue
      each.epoch = epoch
      const servers = serversOf(each.listener, each.pool, each.slots, this.#table)
      const changed = servers.filter((server, index) => !isSame(server, each.servers[index]))
      each.servers = servers
      if (changed.length > 0) this.#plane?.updateServers(each.listener.name, changed)
    }
  }

  /** As other listeners are told of: established flows for connections, flows for requests. */
  listeners(): { name: string; addresses: string[]; connections: number; requests: number; latencyMs: null }[] {
    const loads = this.#plane?.status().servers ?? []
    return this.#forwarded.map(({ listener }) => {
      const own = loads.filter(({ service }) => service === listener.name)
      return {
        name: listener.name,
        addresses: listener.addresses.flatMap((where) => listener.protocols.map((protocol) => `${describeAddress(where)}/${protocol}`)),
        connections: own.reduce((sum, { active }) => sum + active, 0),
        requests: own.reduce((sum, { flows }) => sum + flows, 0),
        latencyMs: null,
      }
    })
  }

  status(): PacketStatus | null {
    return this.#plane?.status() ?? null
  }

  /** At most `limit` flows; null without packet listeners. */
  flows(limit: number): FlowInfo[] | null {
    return this.#plane?.flows(limit) ?? null
  }

  /** Where the kernel is not to go on: no new flows, until those that are established have ended or the time is over. */
  async drain(graceMs: number): Promise<void> {
    const plane = this.#plane
    if (plane === null || this.#plan?.keepAtExit === true) return
    for (const { listener, servers } of this.#forwarded) {
      plane.updateServers(
        listener.name,
        servers.map((server) => ({ ...server, isDraining: true })),
      )
    }
    this.#forwarded = []
    const endsAtMs = performance.now() + graceMs
    while (performance.now() < endsAtMs && plane.status().servers.some(({ active }) => active > 0)) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS))
    }
  }

  /** The first Plan did not come into force: what an earlier process left goes on, what is new comes off. */
  abandon(): void {
    this.#end(this.#plane?.isTakenOver === true)
  }

  close(): void {
    this.#end(this.#plan?.keepAtExit === true)
  }

  #forward(packet: PacketPlan, plan: Plan, slots: SlotAssignment): Forwarded[] {
    return packet.listeners.map((listener) => {
      const index = plan.pools.findIndex(({ name }) => name === listener.pool)
      const [pool, own] = [plan.pools[index], slots.pools[index]]
      return { listener, pool, slots: own, epoch: this.#table.epoch(own.row), servers: serversOf(listener, pool, own, this.#table) }
    })
  }

  /** The first packets are to find their servers' MAC addresses known; a server that is off is not waited for. */
  async #meetNeighbours(): Promise<void> {
    const endsAtMs = performance.now() + MEETING_MS
    while (this.#plane?.keepNeighbours() === false && performance.now() < endsAtMs) {
      await new Promise((resolve) => setTimeout(resolve, MEETING_POLL_MS))
    }
  }

  #change(plane: PacketPlane, packet: PacketPlan, services: Parameters<PacketPlane['apply']>[0]): void {
    try {
      plane.apply(services, interfacesOf(packet))
    } catch (error) {
      const before = this.#forwarded.map(({ listener, pool, slots }) => serviceOf(listener, pool, slots, this.#table))
      plane.apply(before)
      throw error
    }
  }

  #end(keep: boolean): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers = []
    this.#forwarded = []
    if (this.#plane !== null && keep) {
      this.#log.info(`the kernel goes on forwarding (packet.atExit: keep); "evener packet detach" ends that`)
    }
    this.#plane?.close({ keep })
    this.#plane = null
    this.#plan = undefined
    this.#release()
  }

  #startTimers(): void {
    const every = (ms: number, run: () => void): void => {
      const timer = setInterval(() => this.#guard(run), ms)
      timer.unref()
      this.#timers.push(timer)
    }
    every(SYNC_MS, () => this.sync())
    every(NEIGHBOURS_MS, () => this.#plane?.keepNeighbours())
    this.#scheduleAge(AGE_MS)
  }

  #scheduleAge(delayMs: number): void {
    const timer = setTimeout(() => {
      this.#timers = this.#timers.filter((each) => each !== timer)
      const startedMs = performance.now()
      this.#guard(() => this.#plane?.age())
      if (this.#plane !== null) this.#scheduleAge(Math.max(AGE_MS, (performance.now() - startedMs) / AGE_SHARE))
    }, delayMs)
    timer.unref()
    this.#timers.push(timer)
  }

  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#log.error(`packet plane: ${(error as Error).message}`)
    }
  }

  #release(): void {
    this.#owner?.close()
    this.#owner = null
  }
}

/** What a reload cannot change, in words. */
export function packetsNotApplied({ packet: old }: Plan, { packet: next }: Plan): string[] {
  if (old === undefined || next === undefined || JSON.stringify(optionsOf(old)) === JSON.stringify(optionsOf(next))) return []
  return ['packet: a change of mode, pins, table sizes, icmpPerSecond or tunnelSource takes effect with the next start']
}

function optionsOf(packet: PacketPlan) {
  return {
    pinPath: packet.pins,
    mode: packet.mode === 'auto' ? undefined : packet.mode,
    flowEntries: packet.flows,
    youngEntries: packet.newFlows,
    tunnelSource4: packet.tunnelSource4,
    tunnelSource6: packet.tunnelSource6,
    icmpPerSecond: packet.icmpPerSecond,
  }
}

function describeAddress({ address, firstPort, lastPort }: PacketAddress): string {
  const ports = firstPort === lastPort ? String(firstPort) : firstPort === 0 ? '*' : `${firstPort}-${lastPort}`
  return `${address.includes(':') ? `[${address}]` : address}:${ports}`
}

function interfacesOf({ listeners }: PacketPlan): string[] {
  return [...new Set(listeners.flatMap((listener) => listener.interfaces))]
}

function isSame(a: PacketServer, b: PacketServer | undefined): boolean {
  return b !== undefined && a.name === b.name && a.weight === b.weight && a.isDown === b.isDown && a.isDraining === b.isDraining
}
