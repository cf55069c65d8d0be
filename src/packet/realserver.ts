import { readFileSync } from 'node:fs'
import { attachXdp, type BpfLink, BpfObject, indexKey, type LoadedObject, loadObject } from '../kernel/bpf/index.ts'
import { native } from '../kernel/index.ts'
import { RouteSocket } from '../kernel/netlink/index.ts'
import { mappedAddress } from './definition.ts'
import { HostChanges } from './host-changes.ts'
import { requirePacketPlane } from './requirements.ts'

export interface RealServerOptions {
  /** Addresses that the balancers forward. */
  readonly vips: readonly string[]
  readonly mode: 'dr' | 'tun'
  /** Where the balancers' packets come in. */
  readonly interfaceName: string
  readonly guePort?: number
  /** Where it is kept what was changed, so that it can be undone after a crash. */
  readonly statePath?: string
}

const OBJECT_PATH = new URL('../../bpf/dist/realserver.bpf.o', import.meta.url)
const DEFAULT_GUE_PORT = 6080

/**
 * Makes this machine a server behind DR or TUN: it takes packets for the VIPs without claiming them on its network (no ARP answers),
 * and unwraps tunnelled ones. close() undoes everything that it changed, and only that.
 */
export class RealServer {
  /** What was changed, a line each. */
  readonly changes: readonly string[]
  readonly #undo: readonly (() => void)[]

  private constructor(changes: readonly string[], undo: readonly (() => void)[]) {
    this.changes = changes
    this.#undo = undo
  }

  static open(options: RealServerOptions): RealServer {
    requirePacketPlane()
    const changes: string[] = []
    const routes = new RouteSocket(native())
    const undo: (() => void)[] = [() => routes.close()]
    try {
      const link = routes.demandLink(options.interfaceName)
      const loopback = routes.demandLink('lo')
      const changed = new HostChanges(routes, loopback.index, options.statePath)
      undo.push(() => changed.undo())
      setSysctls(changed, options)
      for (const vip of options.vips) changed.addAddress(vip)
      changes.push(...changed.describe())
      if (options.mode === 'tun') {
        const { object, attached, mode } = attachDecapsulation(options, link.index)
        changes.push(`${options.interfaceName}: tunnels end here (${mode} XDP)`)
        undo.push(() => {
          attached.close()
          object.close()
        })
      }
      return new RealServer(changes, undo)
    } catch (error) {
      for (const step of undo.reverse()) step()
      throw error
    }
  }

  /** Undoes what a run left that did not end in order. Returns what was undone, a line each. */
  static undo(statePath: string): string[] {
    const routes = new RouteSocket(native())
    try {
      const changed = new HostChanges(routes, routes.demandLink('lo').index, statePath)
      const lines = changed.describe()
      changed.undo()
      return lines.length === 0 ? [`nothing is to be undone by ${statePath}`] : lines.map((line) => `undone: ${line}`)
    } finally {
      routes.close()
    }
  }

  close(): void {
    for (const step of [...this.#undo].reverse()) step()
  }
}

/** The address on lo must not be announced, nor answered for; a packet out of a tunnel comes from where no route to its source leads. */
function setSysctls(changed: HostChanges, options: RealServerOptions): void {
  for (const name of ['all', options.interfaceName]) {
    changed.setSysctl(`net/ipv4/conf/${name}/arp_ignore`, '1')
    changed.setSysctl(`net/ipv4/conf/${name}/arp_announce`, '2')
    if (options.mode === 'tun') changed.setSysctl(`net/ipv4/conf/${name}/rp_filter`, '0')
  }
}

function attachDecapsulation(
  options: RealServerOptions,
  interfaceIndex: number,
): { object: LoadedObject; attached: BpfLink; mode: string } {
  const constants = { gue_port: options.guePort ?? DEFAULT_GUE_PORT }
  const object = loadObject(native(), new BpfObject(readFileSync(OBJECT_PATH)), { constants })
  try {
    for (const vip of options.vips) object.map('vips').set(mappedAddress(vip), indexKey(1))
    const { link, mode } = attachXdp(native(), object.program('decapsulate'), interfaceIndex)
    return { object, attached: link, mode }
  } catch (error) {
    object.close()
    throw error
  }
}
