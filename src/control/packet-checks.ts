import type { Plan } from '../config/index.ts'
import { type CheckDestination, CheckWay } from '../packet/index.ts'
import type { CheckTarget } from '../pool/index.ts'

/** Checks over TCP that go to a listener's address and on as its packets do, instead of straight to the server. */
export class PacketChecks {
  #way: CheckWay | null = null
  /** By the server's address. */
  #destinations: ReadonlyMap<string, CheckDestination> = new Map()

  /** Throws EvenerError where the kernel cannot do it. */
  prepare(plan: Plan): void {
    const { packet } = plan
    const wanted = (packet?.listeners ?? []).filter(({ checks }) => checks === 'forwarded')
    if (packet === undefined || wanted.length === 0) {
      this.close()
      return
    }
    this.#way ??= CheckWay.open()
    const destinations = wanted.flatMap((listener) => {
      const [{ address: vip }] = listener.addresses
      const pool = plan.pools.find(({ name }) => name === listener.pool)
      return (pool?.servers ?? []).flatMap(({ address }): [string, CheckDestination][] => {
        if (address.family === 'unix') return []
        const { forward, tunnel } = listener
        const sources = { source4: packet.tunnelSource4, source6: packet.tunnelSource6 }
        return [[address.host, { vip, server: address.host, forward, encapsulation: tunnel.kind, guePort: tunnel.port, ...sources }]]
      })
    })
    this.#destinations = new Map(destinations)
  }

  /** The same target, or where a check that means it is to connect to. */
  redirect(target: CheckTarget): CheckTarget {
    if (target.transport === 'udp' || target.address.family === 'unix') return target
    const destination = this.#destinations.get(target.address.host)
    if (destination === undefined) return target
    const { vip } = destination
    // Without a route there is no port either: the check fails with what the kernel says of that.
    const localPort = this.#way?.steer(destination)
    return { ...target, address: { family: vip.includes(':') ? 6 : 4, host: vip, port: target.address.port }, localPort }
  }

  close(): void {
    this.#destinations = new Map()
    this.#way?.close()
    this.#way = null
  }
}
