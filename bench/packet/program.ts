/**
 * What a packet costs in the kernel: nanoseconds by BPF_PROG_RUN for the first and later packets of a flow, by forwarding mode and
 * number of flows, and the choice of a server among 100. Each figure is the least of several short runs, less what it costs to
 * put the packet back between two runs (bpf/bench.bpf.c). To be started in a network namespace of its own; writes JSON to a file.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BpfObject, indexKey, loadObject } from '../../src/kernel/bpf/index.ts'
import { native } from '../../src/kernel/index.ts'
import type { PacketService } from '../../src/packet/index.ts'
import { buildFrame } from '../../test/packet/frame.ts'
import { CLIENT, layNetwork, PlaneFixture, server, service, VIP } from '../../test/packet/namespace.ts'

const RUNS = 9
const REPEAT = 200_000
const MODES = ['dr', 'tun', 'nat', 'fullnat'] as const
const FLOWS = [10, 1_000, 100_000, 1_000_000]

const source = new BpfObject(readFileSync(join(import.meta.dirname, '../../bpf/dist/bench.bpf.o')))
const restorer = loadObject(native(), source)
const template = source.layout('template')

function run(fixture: PlaneFixture, frame: Uint8Array, flows: number, repeat: number, target: 'balance' | 'nothing'): number {
  const header = frame.slice(0, template.field('header').size)
  restorer.map('templates').setAt(0, template.encode({ length: frame.length, flows, header }))
  const program = target === 'nothing' ? restorer.program('nothing') : fixture.plane.object.program('balance')
  restorer.map('target').set(indexKey(0), indexKey(program.fd))
  return restorer.program('restore').runPacket(frame, { repeat, interfaceIndex: fixture.client }).duration
}

function least(measure: () => number): number {
  let best = Number.POSITIVE_INFINITY
  for (let index = 0; index < RUNS; index++) best = Math.min(best, measure())
  return best
}

const udp = (destination: string) => buildFrame({ source: CLIENT, destination, protocol: 'udp', payload: 60, udpChecksum: false })

function withPlane<T>(over: Partial<PacketService>, measure: (fixture: PlaneFixture) => T): T {
  const services = [service({ protocols: ['tcp', 'udp'], localAddresses: ['10.2.0.1', '10.2.0.2', '10.2.0.3', '10.2.0.4'], ...over })]
  const fixture = new PlaneFixture(services, { flowEntries: 1 << 21, youngEntries: 1 << 21 })
  try {
    return measure(fixture)
  } finally {
    fixture.close()
  }
}

function measureMode(forward: (typeof MODES)[number]): Record<string, number> {
  return withPlane({ forward }, (fixture) => {
    const frame = udp(VIP)
    const baseline = least(() => run(fixture, frame, 1, REPEAT, 'nothing'))
    const figures: Record<string, number> = {
      baseline,
      notOurs: least(() => run(fixture, udp('10.9.0.5'), 10, REPEAT, 'balance')) - baseline,
    }
    for (const flows of FLOWS) {
      if (forward === 'fullnat' && flows > 50_000) continue
      figures[`first at ${flows} flows`] = run(fixture, frame, flows, flows, 'balance') - baseline
      run(fixture, frame, flows, flows, 'balance')
      const repeat = Math.max(REPEAT, flows)
      figures[`later at ${flows} flows`] = least(() => run(fixture, frame, flows, repeat, 'balance')) - baseline
    }
    return figures
  })
}

/** First packets of TCP flows among 100 servers: what a choice costs. */
function measureAlgorithm(algorithm: PacketService['algorithm']): number {
  const servers = Array.from({ length: 100 }, (_, index) =>
    server(`s${index}`, 11 + (index % 4), { port: 1000 + index, weight: 1 + (index % 3) }),
  )
  return withPlane({ algorithm, forward: 'dr', servers }, (fixture) => {
    const frame = buildFrame({ source: CLIENT, destination: VIP, payload: 60, flags: 'S' })
    const cost = run(fixture, frame, 60_000, 60_000, 'balance') - least(() => run(fixture, frame, 1, REPEAT, 'nothing'))
    return Math.round(1e9 / cost)
  })
}

layNetwork()
const modes = Object.fromEntries(MODES.map((mode) => [mode, measureMode(mode)]))
const newFlowsPerSecond = Object.fromEntries(
  (['weighted-least-connections', 'maglev', 'weighted-round-robin'] as const).map((name) => [name, measureAlgorithm(name)]),
)
restorer.close()
writeFileSync(process.argv[2], JSON.stringify({ nanosecondsPerPacket: modes, newFlowsPerSecondWith100Servers: newFlowsPerSecond }))
