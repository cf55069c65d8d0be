import { readFileSync } from 'node:fs'
import { addressBytes, EvenerError } from '../core/index.ts'
import { attachXdp, type BpfLink, BpfObject, indexKey, type LoadedObject, loadObject } from '../kernel/bpf/index.ts'
import { native } from '../kernel/index.ts'
import { RouteSocket } from '../kernel/netlink/index.ts'
import { Sysctls } from './attach.ts'
import { mappedAddress } from './definition.ts'
import { requirePacketPlane } from './requirements.ts'

export interface RealServerOptions {
  /** Addresses that the balancers forward. */
  readonly vips: readonly string[]
  readonly mode: 'dr' | 'tun'
  /** Where the balancers' packets come in. */
  readonly interfaceName: string
  readonly guePort?: number
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
      const link = routes.link(options.interfaceName)
      const loopback = routes.link('lo')
      if (link === undefined || loopback === undefined) {
        throw new EvenerError('PACKET_INTERFACE_UNKNOWN', `there is no interface "${options.interfaceName}"`)
      }
      const sysctls = new Sysctls()
      undo.push(() => sysctls.restore())
      setSysctls(sysctls, options)
      changes.push(...sysctls.changes())
      for (const vip of options.vips) {
        const bytes = addressBytes(vip)
        if (!routes.addAddress(loopback.index, bytes)) continue
        changes.push(`lo: ${vip} added`)
        undo.push(() => routes.removeAddress(loopback.index, bytes))
      }
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

  close(): void {
    for (const step of [...this.#undo].reverse()) step()
  }
}

/** The address on lo must not be announced, nor answered for; a packet out of a tunnel comes from where no route to its source leads. */
function setSysctls(sysctls: Sysctls, options: RealServerOptions): void {
  for (const name of ['all', options.interfaceName]) {
    sysctls.set(`net/ipv4/conf/${name}/arp_ignore`, '1')
    sysctls.set(`net/ipv4/conf/${name}/arp_announce`, '2')
    if (options.mode === 'tun') sysctls.set(`net/ipv4/conf/${name}/rp_filter`, '0')
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
