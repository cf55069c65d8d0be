/**
 * A client, a balancer and a server in namespaces, and one contender after the other in the balancer's. What is counted is the CPU time
 * of the whole machine, since a program of the kernel runs on behalf of whoever sends; what the same costs on a link
 * from client to server is taken off, so that the share of the balancer and its second link is left.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Network } from '../../test/netns/network.ts'
import { Product } from '../../test/netns/product.ts'
import { serverAddress, startNginx, VIP } from '../../test/netns/web.ts'
import { median } from '../harness/statistics.ts'

const SERVER = serverAddress(0)
const FRONT = '10.1.0.1'
/** The server, on a link between it and the client. */
const NEIGHBOUR = '10.4.0.11'
const TICKS_PER_SECOND = 100

interface Contender {
  readonly name: string
  /** What the client asks for. */
  readonly address: string
  start(network: Network): Promise<() => Promise<void> | void>
}

interface Sample {
  readonly connectionsPerSecond: number
  /** Of the whole machine. */
  readonly cpuMicrosPerConnection: number
  readonly gigabitsPerSecond: number
}

export interface NetworkFigures extends Sample {
  /** Less what the same costs without a balancer. */
  readonly ownMicrosPerConnection: number
  readonly ownConnectionsPerCpuSecond: number
}

/** Contenders take turns (A B C A B C …); figures are medians. */
export async function measureNetwork(seconds: number, rounds: number): Promise<Record<string, NetworkFigures>> {
  const cleanups: (() => void)[] = []
  const network = lay({ after: (cleanup: () => void) => cleanups.push(cleanup) })
  try {
    const samples = new Map<string, Sample[]>()
    for (let round = 0; round < rounds; round++) {
      for (const contender of contenders()) {
        const stop = await contender.start(network)
        const sample = measure(network, contender.address, seconds)
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
  const direct = middle('no balancer', 'cpuMicrosPerConnection')
  return Object.fromEntries(
    [...samples.keys()].map((name) => {
      const cpu = middle(name, 'cpuMicrosPerConnection')
      const own = Math.max(0, cpu - direct)
      const figures = {
        connectionsPerSecond: Math.round(middle(name, 'connectionsPerSecond')),
        cpuMicrosPerConnection: Math.round(cpu * 10) / 10,
        gigabitsPerSecond: Math.round(middle(name, 'gigabitsPerSecond') * 100) / 100,
        ownMicrosPerConnection: Math.round(own * 10) / 10,
        ownConnectionsPerCpuSecond: name === 'no balancer' || own === 0 ? 0 : Math.round(1e6 / own),
      }
      return [name, figures]
    }),
  )
}

function lay(t: { after(cleanup: () => void): void }): Network {
  const network = new Network(t)
  for (const name of ['client', 'lb', 'a']) network.addSpace(name)
  network.link('client', 'c0', 'lb', 'c1')
  network.address('client', 'c0', '10.1.0.2/24')
  network.address('lb', 'c1', `${FRONT}/24`)
  network.link('lb', 's0', 'a', 'e0')
  network.address('lb', 's0', '10.2.0.1/24')
  network.address('a', 'e0', `${SERVER}/24`)
  network.link('client', 'd0', 'a', 'd1')
  network.address('client', 'd0', '10.4.0.2/24')
  network.address('a', 'd1', `${NEIGHBOUR}/24`)
  network.run('client', 'ip', 'route', 'add', 'default', 'via', FRONT)
  network.run('a', 'ip', 'route', 'add', 'default', 'via', '10.2.0.1')
  network.run('lb', 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
  // Connections are closed by the server, whose ports are not used up by that; the client's are many.
  network.run('client', 'sysctl', '-qw', 'net.ipv4.ip_local_port_range=1024 65000', 'net.ipv4.tcp_tw_reuse=1')
  network.run('lb', 'sysctl', '-qw', 'net.ipv4.ip_local_port_range=1024 65000', 'net.ipv4.tcp_tw_reuse=1')
  startNginx(network, 'a')
  network.start('a', 'iperf3', '-s', '-p', '8081')
  return network
}

function contenders(): Contender[] {
  return [
    { name: 'no balancer', address: NEIGHBOUR, start: async () => () => {} },
    { name: 'kernel routing', address: SERVER, start: async () => () => {} },
    evener('evener nat', { forward: 'nat' }),
    evener('evener fullnat', { forward: 'fullnat', local: { addresses: ['10.2.0.1'] } }),
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
      name: 'HAProxy tcp',
      address: FRONT,
      start: async (network) => {
        const proxies = [80, 8081].map((port) => `listen p${port}\n  bind ${FRONT}:${port}\n  server a ${SERVER}:${port}`).join('\n')
        const text = `global\n  maxconn 4096\n  nbthread 1\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n${proxies}\n`
        return startDaemon(network, 'haproxy', text, (file) => ['-db', '-f', file])
      },
    },
  ]
}

function evener(name: string, packet: object): Contender {
  return {
    name,
    address: VIP,
    start: async (network) => {
      const listener = { bind: `${VIP}:0`, packet: { pool: 'app', interfaces: ['c1', 's0'], ports: [80, 8081], ...packet } }
      const product = await Product.start(network, 'lb', {
        workers: 1,
        engine: 'portable',
        packet: { pins: 'none' },
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

function measure(network: Network, address: string, seconds: number): Sample {
  const before = busySeconds()
  const text = network.run('client', 'wrk', '-t1', '-c32', `-d${seconds}s`, '-H', 'Connection: close', `http://${address}/`)
  const used = busySeconds() - before
  const [, requests] = /(\d+) requests in/.exec(text) ?? []
  const stream = JSON.parse(network.run('client', 'iperf3', '-J', '-c', address, '-p', '8081', '-t', String(seconds)))
  return {
    connectionsPerSecond: Number(requests) / seconds,
    cpuMicrosPerConnection: (used * 1e6) / Number(requests),
    gigabitsPerSecond: stream.end.sum_received.bits_per_second / 1e9,
  }
}

/** CPU time of all processes and interrupts since the machine started. */
function busySeconds(): number {
  const [, ...fields] = readFileSync('/proc/stat', 'latin1').split('\n')[0].split(/\s+/)
  const [user, nice, system, , , irq, softirq] = fields.map(Number)
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND
}
