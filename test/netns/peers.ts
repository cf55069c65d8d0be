import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { program } from '../support/needs.ts'
import type { Network } from './network.ts'

export const IPERF_PORT = 5201
export const DNS_PORT = 53

/** iperf3 on these addresses of a server; without any on all of them. */
export function startIperf(network: Network, name: string, addresses: readonly string[]): void {
  const binds = addresses.length === 0 ? [[]] : addresses.map((address) => ['-B', address])
  for (const bind of binds) network.start(name, 'iperf3', '-s', '-p', String(IPERF_PORT), ...bind)
  const wanted = `[ $(ss -Hltn sport = :${IPERF_PORT} | wc -l) -ge ${binds.length} ]`
  network.run(name, 'sh', '-c', `until ${wanted}; do :; done`)
}

/** Sends with iperf3 as `words` say, and checks that it arrived. Of UDP a busy machine loses some; of TCP iperf3 leaves the end unread. */
export function checkIperf(network: Network, host: string, ...words: string[]): void {
  const command = ['iperf3', '-J', '-c', host, '-p', String(IPERF_PORT), '--connect-timeout', '2000', ...words]
  const text = network.run('client', 'sh', '-c', `timeout 20 ${command.join(' ')} || true`)
  const { error, end } = JSON.parse(text) as {
    error?: string
    end: { sum_received?: { bytes: number }; sum?: { packets: number; lost_packets: number } }
  }
  assert.equal(error, undefined, command.join(' '))
  if (words.includes('-u')) {
    assert.ok(end.sum !== undefined && end.sum.packets > 100 && end.sum.lost_packets < end.sum.packets / 2, JSON.stringify(end.sum))
  } else {
    assert.ok((end.sum_received?.bytes ?? 0) > 8 << 20, JSON.stringify(end.sum_received))
  }
}

/** Knot DNS on a server; it answers who.test with the server's name. */
export function startKnot(network: Network, name: string): void {
  const folder = join(network.folder, `knot-${name}`)
  mkdirSync(folder)
  writeFileSync(
    join(folder, 'test.zone'),
    `$ORIGIN test.\n$TTL 1\n@ SOA ns root 1 3600 600 86400 1\n@ NS ns\nns A 127.0.0.1\nwho TXT "${name}"\n`,
  )
  const file = join(folder, 'knot.conf')
  writeFileSync(
    file,
    `server:\n  rundir: "${folder}"\n  listen: [ 0.0.0.0@${DNS_PORT}, ::@${DNS_PORT} ]\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n` +
      `database:\n  storage: "${folder}"\nlog:\n  - target: stderr\n    any: info\n` +
      `zone:\n  - domain: test.\n    file: "${join(folder, 'test.zone')}"\n    zonefile-sync: -1\n    zonefile-load: whole\n    journal-content: none\n`,
  )
  network.start(name, program('knotd'), '-c', file)
  network.run(name, 'sh', '-c', `until dig +short +time=1 +tries=1 @127.0.0.1 who.test txt | grep -q ${name}; do :; done`)
}

/** Who answered each of `count` questions that came from one port of the client. */
export function digFromOnePort(network: Network, host: string, from: string, count: number): string {
  const question = `dig +short +time=2 +tries=1 -b '${from}#5300' @${host} who.test txt`
  const script = `for i in $(seq ${count}); do ${question} || echo x; done`
  return network.run('client', 'sh', '-c', script).replaceAll(/["\s]/g, '')
}

export interface Load {
  /** Resolves when the load is over. */
  ended(): Promise<{ requests: number; failed: number }>
}

/** wrk over connections that are new for each request, or stay. */
export function startWrk(network: Network, url: string, seconds: number, isKept: boolean): Load {
  const words = ['-t1', '-c10', `-d${seconds}s`, '--timeout', '1s', ...(isKept ? [] : ['-H', 'Connection: close']), url]
  const child = network.start('client', 'wrk', ...words)
  assert.ok(child.stdout)
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  const closed = once(child, 'close')
  return {
    ended: async () => {
      await closed
      const text = lines.join('\n')
      const [, requests] = /(\d+) requests in/.exec(text) ?? []
      const failures = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? []
      const wrong = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0
      assert.ok(requests !== undefined, text)
      return { requests: Number(requests), failed: [...failures, wrong].reduce((sum: number, each) => sum + Number(each), 0) }
    },
  }
}
