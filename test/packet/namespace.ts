import { execFileSync, spawnSync } from 'node:child_process'
import { basename } from 'node:path'
import { test } from 'node:test'
import { PacketPlane, type PacketPlaneOptions, type PacketServer, type PacketService, SERVICE_DEFAULTS } from '../../src/packet/index.ts'
import { needsRoot } from '../support/needs.ts'

const MARK = 'EVENER_TEST_NAMESPACE'

/**
 * Runs a test file's tests in a network and a mount namespace of their own, which are gone with the process: the file calls this with all its tests.
 * Outside, it only starts itself again inside; what the tests there report goes to whoever listens to this process.
 */
export function inNamespace(file: string, define: () => void): void {
  if (process.env[MARK] === file) {
    define()
    return
  }
  const need = needsRoot('ip', 'taskset', 'bpftool')
  if (need.skip !== false) {
    test(`in a network namespace: ${basename(file)}`, need)
    return
  }
  const words = ['--net', '--mount', process.execPath, ...process.execArgv, file]
  const { status } = spawnSync('unshare', words, { env: { ...process.env, [MARK]: file }, stdio: 'inherit' })
  process.exitCode = status ?? 1
}

export const VIP = '10.9.0.100'
export const VIP6 = 'fd09::100'
export const CLIENT = '192.0.2.7'
export const CLIENT6 = '2001:db8::7'
export const SERVER_MAC = (last: number) => `02:00:00:00:02:${last.toString(16).padStart(2, '0')}`

function ip(...words: string[]): void {
  execFileSync('ip', words)
}

/** Two links: c0 towards the clients, s0 towards servers 10.2.0.11… and fd02::11…, whose MAC addresses end like they do. */
export function layNetwork(): void {
  ip('link', 'set', 'lo', 'up')
  for (const [name, far, mac] of [
    ['c0', 'c1', '02:00:00:00:01:01'],
    ['s0', 's1', '02:00:00:00:02:01'],
  ]) {
    ip('link', 'add', name, 'address', mac, 'type', 'veth', 'peer', 'name', far)
    ip('link', 'set', name, 'up')
    ip('link', 'set', far, 'up')
  }
  ip('addr', 'add', '10.1.0.1/24', 'dev', 'c0')
  ip('addr', 'add', 'fd01::1/64', 'dev', 'c0', 'nodad')
  ip('addr', 'add', '10.2.0.1/24', 'dev', 's0')
  ip('addr', 'add', 'fd02::1/64', 'dev', 's0', 'nodad')
  ip('neigh', 'add', '10.1.0.2', 'lladdr', '02:00:00:00:01:02', 'dev', 'c0', 'nud', 'permanent')
  ip('neigh', 'add', 'fd01::2', 'lladdr', '02:00:00:00:01:02', 'dev', 'c0', 'nud', 'permanent')
  for (let last = 11; last <= 14; last++) {
    ip('neigh', 'add', `10.2.0.${last}`, 'lladdr', SERVER_MAC(last), 'dev', 's0', 'nud', 'permanent')
    ip('neigh', 'add', `fd02::${last}`, 'lladdr', SERVER_MAC(last), 'dev', 's0', 'nud', 'permanent')
  }
  ip('route', 'add', 'default', 'via', '10.1.0.2', 'dev', 'c0')
  ip('route', 'add', 'default', 'via', 'fd01::2', 'dev', 'c0')
}

export function server(name: string, last: number, over: Partial<PacketServer> & { v6?: boolean } = {}): PacketServer {
  const { v6, ...rest } = over
  const address = v6 === true ? `fd02::${last}` : `10.2.0.${last}`
  return { name, address, port: 0, weight: 1, share: 1, tier: 0, isDown: false, isDraining: false, upper: 0, lower: 0, ...rest }
}

export function service(over: Partial<PacketService>): PacketService {
  return {
    ...SERVICE_DEFAULTS,
    name: 'web',
    addresses: [{ address: VIP, firstPort: 80, lastPort: 80 }],
    servers: [server('a', 11)],
    ...over,
  }
}

/** A plane that is closed with the test (or with the file). Its programs run as if packets came in through c0, or s0. */
export class PlaneFixture {
  readonly plane: PacketPlane
  readonly client: number
  readonly servers: number

  constructor(services: readonly PacketService[], options: Partial<PacketPlaneOptions> = {}) {
    this.client = interfaceIndex('c0')
    this.servers = interfaceIndex('s0')
    this.plane = PacketPlane.open(
      { interfaces: ['c0', 's0'], flowEntries: 1024, youngEntries: 1024, icmpPerSecond: 1000, ...options },
      services,
    )
  }

  fromClient(frame: Uint8Array): { verdict: string; bytes: Uint8Array } {
    return this.#run(frame, this.client)
  }

  fromServer(frame: Uint8Array): { verdict: string; bytes: Uint8Array } {
    return this.#run(frame, this.servers)
  }

  counter(name: string): number {
    return this.plane.status().counters[name]
  }

  close(): void {
    this.plane.close()
  }

  #run(frame: Uint8Array, interfaceIndex: number): { verdict: string; bytes: Uint8Array } {
    const { verdict, bytes } = this.plane.run(frame, { interfaceIndex })
    return { verdict: ['aborted', 'drop', 'pass', 'tx', 'redirect'][verdict] ?? String(verdict), bytes }
  }
}

/** Closes what a test opened, also if the test fails. */
export function withPlane(
  services: readonly PacketService[],
  run: (fixture: PlaneFixture) => void,
  options: Partial<PacketPlaneOptions> = {},
): void {
  const fixture = new PlaneFixture(services, options)
  try {
    run(fixture)
  } finally {
    fixture.close()
  }
}

function interfaceIndex(name: string): number {
  const [link] = JSON.parse(execFileSync('ip', ['-j', 'link', 'show', name], { encoding: 'utf8' })) as { ifindex: number }[]
  return link.ifindex
}
