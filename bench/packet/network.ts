/**
 * A client, a balancer and a server in namespaces, and one contender after the other in the balancer's: whole connections with a small
 * answer each, and a stream of bytes. All of it is on one CPU, which is kept busy, and what is counted is the time of every process in
 * these namespaces and of the CPU's soft interrupts: a program of the kernel runs on behalf of whoever sends. What the same
 * costs on a link from client to server is taken off, which leaves the balancer's share: its work and one link more.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Network } from '../../test/netns/network.ts'
import { Product } from '../../test/netns/product.ts'
import { serverAddress, startNginx, VIP } from '../../test/netns/web.ts'
import { readMachineUse, readRunTime } from '../harness/process-use.ts'
import { median } from '../harness/statistics.ts'

const SERVER = serverAddress(0)
const FRONT = '10.1.0.1'
/** The server, on a link between it and the client. */
const NEIGHBOUR = '10.4.0.11'
const LOCAL_ADDRESSES = ['10.2.0.2', '10.2.0.3', '10.2.0.4', '10.2.0.5']
const SPACES = ['client', 'lb', 'a']
const RIVAL = 'HAProxy tcp'

interface Contender {
  readonly name: string
  /** What the client asks for. */
  readonly address: string
  start(network: Network): Promise<() => Promise<void> | void>
}

interface Sample {
  readonly connectionsPerSecond: number
  /** Of client, balancer and server together. */
  readonly cpuMicrosPerConnection: number
  readonly failed: number
  readonly gigabitsPerSecond: number
}

export interface NetworkFigures extends Sample {
  /** Less what the same costs without a balancer. */
  readonly ownMicrosPerConnection: number
  readonly ownConnectionsPerCpuSecond: number
  /** The latter, in those of HAProxy. */
  readonly timesHaproxy: number
}

/** Contenders take turns (A B C A B C …); figures are medians. */
export async function measureNetwork(seconds: number, rounds: number): Promise<Record<string, NetworkFigures>> {
  const cpu = availableParallelism() - 1
  execFileSync('taskset', ['-apc', String(cpu), String(process.pid)], { stdio: 'ignore' })
  const cleanups: (() => void)[] = []
  const network = lay({ after: (cleanup: () => void) => cleanups.push(cleanup) })
  try {
    const samples = new Map<string, Sample[]>()
    for (let round = 0; round < rounds; round++) {
      for (const contender of contenders()) {
        const stop = await contender.start(network)
        const sample = measure(network, contender.address, seconds, cpu)
        await stop()
        samples.set(contender.name, [...(samples.get(contender.name) ?? []), sample])
      }
    }
    return summarize(samples)
  } finally {
    for (const cleanup of cleanups) cleanup()
  }
}

function summarize(samples: ReadonlyMap<string, readonly Sample[]>): Record<string, NetworkFigures> {
  const middle = (name: string, field: keyof Sample) => median((samples.get(name) ?? []).map((sample) => sample[field]))
  const ownMicros = (name: string) => Math.max(0, middle(name, 'cpuMicrosPerConnection') - middle('no balancer', 'cpuMicrosPerConnection'))
  return Object.fromEntries(
    [...samples.keys()].map((name) => {
      const own = ownMicros(name)
      const figures = {
        connectionsPerSecond: Math.round(middle(name, 'connectionsPerSecond')),
        cpuMicrosPerConnection: round(middle(name, 'cpuMicrosPerConnection')),
        failed: middle(name, 'failed'),
        gigabitsPerSecond: round(middle(name, 'gigabitsPerSecond')),
        ownMicrosPerConnection: round(own),
        ownConnectionsPerCpuSecond: own === 0 ? 0 : Math.round(1e6 / own),
        timesHaproxy: own === 0 ? 0 : round(ownMicros(RIVAL) / own),
      }
      return [name, figures]
    }),
  )
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

function lay(t: { after(cleanup: () => void): void }): Network {
  const network = new Network(t)
  for (const name of SPACES) network.addSpace(name)
  network.link('client', 'c0', 'lb', 'c1')
  network.address('client', 'c0', '10.1.0.2/24')
  network.address('lb', 'c1', `${FRONT}/24`)
  network.link('lb', 's0', 'a', 'e0')
  network.address('lb', 's0', '10.2.0.1/24', ...LOCAL_ADDRESSES.map((address) => `${address}/24`))
  network.address('a', 'e0', `${SERVER}/24`)
  network.link('client', 'd0', 'a', 'd1')
  network.address('client', 'd0', '10.4.0.2/24')
  network.address('a', 'd1', `${NEIGHBOUR}/24`)
  network.run('client', 'ip', 'route', 'add', 'default', 'via', FRONT)
  network.run('a', 'ip', 'route', 'add', 'default', 'via', '10.2.0.1')
  network.run('lb', 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
  for (const name of SPACES) {
    // Time stamps without an offset for each pair of addresses: by a NAT a server sees one pair where the client sees another, and would
    // hold a new connection for an old one.
    network.run(name, 'sysctl', '-qw', 'net.ipv4.ip_local_port_range=1024 65000', 'net.ipv4.tcp_tw_reuse=1', 'net.ipv4.tcp_timestamps=2')
  }
  startNginx(network, 'a')
  network.start('a', 'iperf3', '-s', '-p', '8081')
  return network
}

function contenders(): Contender[] {
  return [
    { name: 'no balancer', address: NEIGHBOUR, start: async () => () => {} },
    { name: 'kernel routing', address: SERVER, start: async () => () => {} },
    evener('evener nat', 'native', { forward: 'nat' }),
    evener('evener nat, generic XDP', 'generic', { forward: 'nat' }),
    evener('evener fullnat', 'native', { forward: 'fullnat', local: { addresses: LOCAL_ADDRESSES } }),
    {
      name: 'nftables dnat',
      address: VIP,
      start: async (network) => {
        network.run('lb', 'nft', 'add table ip bench; add chain ip bench pre { type nat hook prerouting priority dstnat; }')
        network.run('lb', 'nft', `add rule ip bench pre ip daddr ${VIP} dnat to ${SERVER}`)
        return () => void network.run('lb', 'nft', 'delete', 'table', 'ip', 'bench')
      },
    },
    {
      name: 'nginx stream',
      address: FRONT,
      start: async (network) => {
        const servers = [80, 8081].map((port) => `server { listen ${FRONT}:${port} backlog=4096; proxy_pass ${SERVER}:${port}; }`).join(' ')
        const modules = 'load_module /usr/lib/nginx/modules/ngx_stream_module.so;'
        const text = `${modules} daemon off; master_process off; user root; pid ${network.folder}/lb.pid; error_log /dev/null; events { worker_connections 4096; } stream { ${servers} }`
        return startDaemon(network, 'nginx', text, (file) => ['-c', file, '-p', network.folder])
      },
    },
    {
      name: RIVAL,
      address: FRONT,
      start: async (network) => {
        const proxies = [80, 8081].map((port) => `listen p${port}\n  bind ${FRONT}:${port}\n  server a ${SERVER}:${port}`).join('\n')
        const text = `global\n  maxconn 4096\n  nbthread 1\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n${proxies}\n`
        return startDaemon(network, 'haproxy', text, (file) => ['-db', '-f', file])
      },
    },
  ]
}

function evener(name: string, mode: 'native' | 'generic', packet: object): Contender {
  return {
    name,
    address: VIP,
    start: async (network) => {
      const listener = { bind: `${VIP}:0`, packet: { pool: 'app', interfaces: ['c1', 's0'], ports: [80, 8081], ...packet } }
      const product = await Product.start(network, 'lb', {
        workers: 1,
        engine: 'portable',
        packet: { pins: 'none', mode },
        listeners: { vip: listener },
        pools: { app: { servers: [`${SERVER}:80`] } },
      })
      return async () => product.kill()
    },
  }
}

/** A proxy with a configuration of its own; gives what ends it. */
async function startDaemon(
  network: Network,
  program: string,
  text: string,
  words: (file: string) => string[],
): Promise<() => Promise<void>> {
  const file = join(network.folder, `${program}.conf`)
  writeFileSync(file, text)
  const child = network.start('lb', program, ...words(file))
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  network.run('client', 'sh', '-c', `for i in $(seq 200); do curl -so /dev/null --max-time 1 http://${FRONT}/ && exit; done; exit 1`)
  return async () => {
    child.kill('SIGKILL')
    await exited
  }
}

function measure(network: Network, address: string, seconds: number, cpu: number): Sample {
  const folders = [...threadsOf(network), interruptThread(cpu)]
  const before = usedMicros(folders)
  const text = network.run('client', 'wrk', '-t1', '-c32', `-d${seconds}s`, '-H', 'Connection: close', `http://${address}/`)
  const used = usedMicros(folders) - before
  const [, requests] = /(\d+) requests in/.exec(text) ?? []
  const [, ...errors] = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text) ?? []
  const stream = JSON.parse(network.run('client', 'iperf3', '-J', '-c', address, '-p', '8081', '-t', String(seconds)))
  return {
    connectionsPerSecond: Number(requests) / seconds,
    cpuMicrosPerConnection: used / Number(requests),
    failed: errors.reduce((sum, count) => sum + Number(count), 0),
    gigabitsPerSecond: stream.end.sum_received.bits_per_second / 1e9,
  }
}

/** CPU time of these threads, and of processes that this one has started and that have ended. */
function usedMicros(folders: readonly string[]): number {
  return folders.reduce((sum, folder) => sum + (readRunTime(folder) ?? 0), readMachineUse().endedChildrenMicros)
}

function threadsOf(network: Network): string[] {
  const ids = SPACES.flatMap((name) => execFileSync('ip', ['netns', 'pids', network.space(name)], { encoding: 'utf8' }).split('\n'))
  return ids.filter((id) => id !== '').flatMap((id) => readdirSync(`/proc/${id}/task`).map((task) => `/proc/${id}/task/${task}`))
}

/** Where /proc tells of the thread that takes a CPU's soft interrupts when they are many. */
function interruptThread(cpu: number): string {
  const name = `ksoftirqd/${cpu}`
  const found = readdirSync('/proc').find((id) => /^\d+$/.test(id) && readName(`/proc/${id}/comm`) === name)
  if (found === undefined) throw new Error(`there is no ${name}`)
  return `/proc/${found}`
}

function readName(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1').trim()
  } catch {
    // The process has ended.
    return undefined
  }
}
