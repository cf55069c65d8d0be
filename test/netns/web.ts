import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import type { Forward } from '../../src/packet/index.ts'
import { Network } from './network.ts'

export const VIP = '10.9.0.100'
export const VIP6 = 'fd09::100'
export const NAMES = ['a', 'b', 'c']
export const EVENER = join(import.meta.dirname, '../../bin/evener.js')

/** Address of the server with this place in NAMES. */
export function serverAddress(index: number, isV6 = false): string {
  return isV6 ? `fd02::${11 + index}` : `10.2.0.${11 + index}`
}

/** More than port 80 of one address of each family. */
export interface Wider {
  readonly vips?: readonly string[]
  /** "8001-8019" */
  readonly ports?: readonly string[]
}

/**
 * The client, one balancer, three nginx servers that answer with their names, over IPv4 and IPv6. DR and TUN servers answer the client
 * past the balancer's program, through the stack of its machine, which is a router here.
 *
 *     client 10.1.0.2 ── c0 [lb 10.1.0.1 / 10.2.0.1] s0 ── bridge ── 10.2.0.11, .12, .13
 *            fd01::2           fd01::1 / fd02::1                     fd02::11, …
 */
export async function layWeb(t: TestContext, forward: Forward, wider: Wider = {}): Promise<Network> {
  const network = new Network(t)
  for (const name of ['client', 'lb', 'net', ...NAMES]) network.addSpace(name)
  network.run('net', 'ip', 'link', 'add', 'br0', 'type', 'bridge')
  network.run('net', 'ip', 'link', 'set', 'br0', 'up')
  network.link('client', 'c0', 'lb', 'c1')
  network.address('client', 'c0', '10.1.0.2/24', 'fd01::2/64')
  network.address('lb', 'c1', '10.1.0.1/24', 'fd01::1/64')
  network.link('lb', 's0', 'net', 'lb0')
  network.address('lb', 's0', '10.2.0.1/24', 'fd02::1/64')
  network.run('net', 'ip', 'link', 'set', 'lb0', 'master', 'br0')
  network.takeAnswers('client', 'c0')
  network.takeAnswers('net', 'lb0')
  network.run('client', 'ip', 'route', 'add', 'default', 'via', '10.1.0.1')
  network.run('client', 'ip', 'route', 'add', 'default', 'via', 'fd01::1')
  // What the servers send directly is routed back by the balancer's own stack, as a router beside it would.
  const router = [
    'net.ipv4.ip_forward=1',
    'net.ipv6.conf.all.forwarding=1',
    'net.ipv4.conf.all.rp_filter=0',
    'net.ipv4.conf.s0.rp_filter=0',
  ]
  network.run('lb', 'sysctl', '-qw', ...router)
  for (const [index, name] of NAMES.entries()) {
    network.link(name, 'e0', 'net', `n${name}`)
    network.run('net', 'ip', 'link', 'set', `n${name}`, 'master', 'br0')
    network.address(name, 'e0', `${serverAddress(index)}/24`, `${serverAddress(index, true)}/64`)
    if (forward !== 'fullnat') {
      network.run(name, 'ip', 'route', 'add', 'default', 'via', '10.2.0.1')
      network.run(name, 'ip', 'route', 'add', 'default', 'via', 'fd02::1')
    }
    if (forward === 'dr' || forward === 'tun') await beRealServer(network, name, forward, wider.vips ?? [VIP, VIP6])
    startNginx(network, name, wider.ports)
  }
  return network
}

/** `evener realserver` in a server's namespace. */
async function beRealServer(network: Network, name: string, mode: 'dr' | 'tun', vips: readonly string[]): Promise<void> {
  const state = join(network.folder, `${name}.state`)
  const words = ['realserver', ...vips.flatMap((vip) => ['--vip', vip]), '--mode', mode, '--interface', 'e0', '--state', state]
  const child = network.start(name, process.execPath, EVENER, ...words)
  if (child.stdout === null) throw new Error('no output')
  const lines = createInterface({ input: child.stdout })
  await new Promise<void>((resolve) => lines.on('line', (line) => line.startsWith('all of it') && resolve()))
}

/** Answers its name on ports 80 and 8080, and on `ports`, and files below /big. */
export function startNginx(network: Network, name: string, ports: readonly string[] = []): void {
  const file = join(network.folder, `${name}.conf`)
  const listen = ['80', '8080', ...ports].map((port) => `listen ${port}; listen [::]:${port} ipv6only=on;`).join(' ')
  writeFileSync(
    file,
    `daemon off; master_process off; user root; pid ${network.folder}/${name}.pid; error_log /dev/null; events { worker_connections 4096; }
     http { access_log off; server { ${listen} location / { return 200 "${name}"; } location /big { root ${network.folder}; }
     location /upload { client_max_body_size 10m; proxy_pass http://127.0.0.1:8080/; proxy_pass_request_body off; proxy_set_header Content-Length 0; } } }`,
  )
  network.start(name, 'nginx', '-c', file, '-p', network.folder)
  network.run(name, 'sh', '-c', 'until curl -so /dev/null http://127.0.0.1/; do :; done')
}

/** Which server answered how many of `count` requests; "x" counts those without an answer within a second. */
export function ask(network: Network, count: number, host = VIP, port = 80): Record<string, number> {
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/`
  const script = `for i in $(seq ${count}); do curl -gs --max-time 1 '${url}' || printf x; done`
  const shares: Record<string, number> = {}
  for (const name of network.run('client', 'sh', '-c', script)) shares[name] = (shares[name] ?? 0) + 1
  return shares
}

interface Wanted {
  readonly isV6?: boolean
  readonly port?: number
  readonly packet?: object
  readonly pool?: object
  readonly plane?: object
}

/** A configuration of one listener, three servers of weights 1, 3 and 6. */
export function configuration(forward: Forward, wanted: Wanted = {}): object {
  const isV6 = wanted.isV6 === true
  const at = (host: string, port: number) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
  const servers = [1, 3, 6].map((weight, index) => ({
    name: 'abc'[index],
    address: at(serverAddress(index, isV6), wanted.port ?? 80),
    weight,
  }))
  const local = forward === 'fullnat' ? { local: { addresses: [isV6 ? 'fd02::1' : '10.2.0.1'] } } : {}
  return {
    workers: 1,
    engine: 'portable',
    packet: { pins: 'none', ...wanted.plane },
    listeners: {
      vip: { bind: at(isV6 ? VIP6 : VIP, 80), packet: { pool: 'app', forward, interfaces: ['c1', 's0'], ...local, ...wanted.packet } },
    },
    pools: { app: { algorithm: 'weighted-round-robin', servers, ...wanted.pool } },
  }
}
