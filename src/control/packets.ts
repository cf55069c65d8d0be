import type { Plan } from '../config/index.ts'
import type { EventLog } from '../observe/index.ts'
import type { FlowInfo, PacketAddress, PacketListenerPlan, PacketPlan, PacketServer, PacketStatus } from '../packet/index.ts'
import type { CheckConnect, PoolPlan, PoolSlots, PoolTable, SlotAssignment } from '../pool/index.ts'
import { PacketChecks } from './packet-checks.ts'
import { ENGINE_NAMES, type EngineName, type OpenEngine, openEngine, planeOptions } from './packet-engine.ts'
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
 * The packet listeners of the Plan in force. It opens an engine with its first listener and closes it with its last, tells the kernel
 * of every change of weight, health and drain, ages flows and keeps neighbours known. Without such a listener it costs nothing.
 */
export class Packets {
  readonly #table: PoolTable
  readonly #log: EventLog
  readonly #engines = new Map<EngineName, OpenEngine>()
  #plan: PacketPlan | undefined
  #forwarded: readonly Forwarded[] = []
  #timers: NodeJS.Timeout[] = []
  readonly #checks = new PacketChecks()

  constructor(table: PoolTable, log: EventLog) {
    this.#table = table
    this.#log = log
  }

  /** Before the checks of a Plan begin: those that are to take the way of packets. */
  prepareChecks(plan: Plan): void {
    this.#checks.prepare(plan)
  }

  /** `connect`, or the way of the packets for servers whose listener wants that. */
  checkConnect(connect: CheckConnect): CheckConnect {
    return (target, events) => connect(this.#checks.redirect(target), events)
  }

  /** Puts the packet listeners of a Plan into force. Rejects with EvenerError, and then those that were in force still are. */
  async apply(plan: Plan, slots: SlotAssignment): Promise<void> {
    const { packet } = plan
    if (packet === undefined) return this.#end(() => false)
    const forwarded = this.#forward(packet, plan, slots)
    const opened: EngineName[] = []
    try {
      for (const name of ENGINE_NAMES) if (await this.#put(name, packet, forwarded)) opened.push(name)
    } catch (error) {
      for (const name of opened) this.#closeEngine(name, false)
      if (this.#plan !== undefined) for (const name of this.#engines.keys()) await this.#put(name, this.#plan, this.#forwarded)
      throw error
    }
    for (const name of [...this.#engines.keys()]) {
      if (!packet.listeners.some(({ engine }) => engine === name)) this.#closeEngine(name, false)
    }
    this.#plan = packet
    this.#forwarded = forwarded
    if (this.#timers.length === 0) this.#startTimers()
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
      if (changed.length > 0) this.#engines.get(each.listener.engine)?.engine.updateServers(each.listener.name, changed)
    }
  }

  /** As other listeners are told of: established flows for connections, flows for requests. */
  listeners(): { name: string; addresses: string[]; connections: number; requests: number; latencyMs: null }[] {
    const loads = this.status()?.servers ?? []
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

  /** null without packet listeners. */
  status(): PacketStatus | null {
    const parts = [...this.#engines.values()].map(({ engine }) => engine.status())
    if (parts.length === 0) return null
    return {
      interfaces: parts.flatMap(({ interfaces }) => interfaces),
      servers: parts.flatMap(({ servers }) => servers),
      counters: Object.assign({}, ...parts.map(({ counters }) => counters)),
    }
  }

  /** At most `limit` flows. */
  flows(limit: number): FlowInfo[] {
    return [...this.#engines.values()].flatMap(({ engine }) => engine.flows(limit)).slice(0, limit)
  }

  /** Where the kernel is not to go on: no new flows, until those that are established have ended or the time is over. */
  async drain(graceMs: number): Promise<void> {
    if (this.#engines.size === 0 || this.#plan?.keepAtExit === true) return
    for (const { listener, servers } of this.#forwarded) {
      const drained = servers.map((server) => ({ ...server, isDraining: true }))
      this.#engines.get(listener.engine)?.engine.updateServers(listener.name, drained)
    }
    this.#forwarded = []
    const endsAtMs = performance.now() + graceMs
    while (performance.now() < endsAtMs && this.status()?.servers.some(({ active }) => active > 0)) await pause(DRAIN_POLL_MS)
  }

  /** The first Plan did not come into force: what an earlier process left goes on, what is new comes off. */
  abandon(): void {
    this.#end((name) => this.#engines.get(name)?.engine.isTakenOver === true)
  }

  close(): void {
    const isKept = this.#plan?.keepAtExit === true
    if (isKept && this.#engines.size > 0) {
      this.#log.info('the kernel goes on forwarding (packet.atExit: keep); "evener packet detach" ends that')
    }
    this.#end(() => isKept)
  }

  #forward(packet: PacketPlan, plan: Plan, slots: SlotAssignment): Forwarded[] {
    return packet.listeners.map((listener) => {
      const index = plan.pools.findIndex(({ name }) => name === listener.pool)
      const [pool, own] = [plan.pools[index], slots.pools[index]]
      return { listener, pool, slots: own, epoch: this.#table.epoch(own.row), servers: serversOf(listener, pool, own, this.#table) }
    })
  }

  /** Brings an engine to what its listeners say; true if it had to be opened for that. */
  async #put(name: EngineName, packet: PacketPlan, forwarded: readonly Forwarded[]): Promise<boolean> {
    const own = forwarded.filter(({ listener }) => listener.engine === name)
    const services = own.map(({ listener, pool, slots }) => serviceOf(listener, pool, slots, this.#table))
    const interfaces = [...new Set(own.flatMap(({ listener }) => listener.interfaces))]
    const open = this.#engines.get(name)
    if (open !== undefined && own.length > 0) open.engine.apply(services, interfaces)
    if (open !== undefined || own.length === 0) return false
    const opened = await openEngine(name, packet, services, interfaces)
    this.#engines.set(name, opened)
    for (const { listener } of own) {
      this.#log.info(`listener ${listener.name} on ${listener.addresses.map(describeAddress).join(', ')}, forward: ${listener.forward}`)
    }
    for (const line of opened.engine.describe()) this.#log[line.includes('generic') ? 'warn' : 'info'](line)
    return true
  }

  #closeEngine(name: EngineName, keep: boolean): void {
    const open = this.#engines.get(name)
    this.#engines.delete(name)
    open?.engine.close({ keep })
    open?.claim?.close()
  }

  #end(keep: (name: EngineName) => boolean): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers = []
    this.#forwarded = []
    this.#plan = undefined
    this.#checks.close()
    for (const name of [...this.#engines.keys()]) this.#closeEngine(name, keep(name))
  }

  /** The first packets are to find their servers' MAC addresses known; a server that is off is not waited for. */
  async #meetNeighbours(): Promise<void> {
    const endsAtMs = performance.now() + MEETING_MS
    while (!this.#keepNeighbours() && performance.now() < endsAtMs) await pause(MEETING_POLL_MS)
  }

  #keepNeighbours(): boolean {
    return [...this.#engines.values()].map(({ engine }) => engine.keepNeighbours()).every(Boolean)
  }

  #startTimers(): void {
    const every = (ms: number, run: () => void): void => {
      const timer = setInterval(() => this.#guard(run), ms)
      timer.unref()
      this.#timers.push(timer)
    }
    every(SYNC_MS, () => this.sync())
    every(NEIGHBOURS_MS, () => this.#keepNeighbours())
    this.#scheduleAge(AGE_MS)
  }

  #scheduleAge(delayMs: number): void {
    const timer = setTimeout(() => {
      this.#timers = this.#timers.filter((each) => each !== timer)
      const startedMs = performance.now()
      let isComplete = true
      this.#guard(() => {
        for (const { engine } of this.#engines.values()) if (!engine.age()) isComplete = false
      })
      const pauseMs = Math.max(1, (performance.now() - startedMs) / AGE_SHARE)
      if (this.#engines.size > 0) this.#scheduleAge(isComplete ? AGE_MS : pauseMs)
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
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** What a reload cannot change, in words. */
export function packetsNotApplied({ packet: old }: Plan, { packet: next }: Plan): string[] {
  if (old === undefined || next === undefined || JSON.stringify(planeOptions(old)) === JSON.stringify(planeOptions(next))) return []
  return ['packet: a change of mode, pins, table sizes, icmpPerSecond or tunnelSource takes effect with the next start']
}

function describeAddress({ address, firstPort, lastPort }: PacketAddress): string {
  const ports = firstPort === lastPort ? String(firstPort) : firstPort === 0 ? '*' : `${firstPort}-${lastPort}`
  return `${address.includes(':') ? `[${address}]` : address}:${ports}`
}

function isSame(a: PacketServer, b: PacketServer | undefined): boolean {
  if (b === undefined || a.name !== b.name || a.weight !== b.weight || a.share !== b.share) return false
  return a.tier === b.tier && a.isDown === b.isDown && a.isDraining === b.isDraining
}
