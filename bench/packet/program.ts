/**
 * What a packet costs in the kernel: nanoseconds by BPF_PROG_RUN for the first and later packets of a flow, by forwarding mode, number
 * of flows and the order in which they come, and the choice of a server among 100. To be started in a network namespace of its own;
 * writes JSON to a file. `gross` is what BPF_PROG_RUN says of both programs, the one that puts the packet back (bpf/bench.bpf.c) and
 * ours; what is not called so is less the cost of the former. Runs are short and many, and each figure is a low quartile, so
 * that one during which the machine did something else does not count.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BpfObject, indexKey, loadObject } from '../../src/kernel/bpf/index.ts'
import { native } from '../../src/kernel/index.ts'
import type { PacketService } from '../../src/packet/index.ts'
import { buildFrame } from '../../test/packet/frame.ts'
import { CLIENT, layNetwork, PlaneFixture, server, service, VIP } from '../../test/packet/namespace.ts'
import { seededRandom, zipf } from './orders.ts'

const CHUNK = 10_000
const LEAST_CHUNKS = 100
const MODES = ['dr', 'tun', 'nat', 'fullnat'] as const
const FLOWS = [10, 1_000, 100_000, 1_000_000]
const MOST_FLOWS = 1_000_000
/** A local port for each flow: fullnat has 22,768 of them on each of four addresses. */
const FULLNAT_FLOWS = 50_000
/** The request rates of busy sites have exponents about 1: a few flows have most of the packets. */
const ZIPF_EXPONENT = 1

const source = new BpfObject(readFileSync(join(import.meta.dirname, '../../bpf/dist/bench.bpf.o')))
const restorer = loadObject(native(), source)
const template = source.layout('template')
const orderCount = restorer.map('orders').shape.maxEntries

interface Visit {
  readonly flows: number
  readonly isOrdered?: boolean
  readonly packets?: number
}

/** Nanoseconds of one packet, restoring included: one figure for each short run. */
function run(fixture: PlaneFixture, frame: Uint8Array, target: 'balance' | 'nothing' | 'grow', visit: Visit): number[] {
  const header = frame.slice(0, template.field('header').size)
  restorer
    .map('templates')
    .setAt(0, template.encode({ length: frame.length, flows: visit.flows, is_ordered: Number(visit.isOrdered ?? false), header }))
  const program = target === 'balance' ? fixture.plane.object.program('balance') : restorer.program(target)
  restorer.map('target').set(indexKey(0), indexKey(program.fd))
  const restore = restorer.program('restore')
  const figures: number[] = []
  for (let left = visit.packets ?? CHUNK * LEAST_CHUNKS; left > 0; left -= CHUNK) {
    figures.push(restore.runPacket(frame, { repeat: Math.min(CHUNK, left), interfaceIndex: fixture.client }).duration)
  }
  return figures
}

function lowQuartile(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 4)]
}

function mean(figures: readonly number[]): number {
  return figures.reduce((sum, figure) => sum + figure, 0) / figures.length
}

const udp = (destination: string) =>
  buildFrame({ source: CLIENT, destination, protocol: 'udp', sourcePort: 0, payload: 60, udpChecksum: false })

function withPlane<T>(over: Partial<PacketService>, measure: (fixture: PlaneFixture) => T): T {
  const services = [service({ protocols: ['tcp', 'udp'], localAddresses: ['10.2.0.1', '10.2.0.2', '10.2.0.3', '10.2.0.4'], ...over })]
  // Flows that rewrite have two entries.
  const isTranslated = over.forward === 'nat' || over.forward === 'fullnat'
  const fixture = new PlaneFixture(services, { flowEntries: isTranslated ? 1 << 21 : 1 << 20, youngEntries: 1 << 21 })
  try {
    return measure(fixture)
  } finally {
    fixture.close()
  }
}

/** What the bench itself costs. A tunnel makes the packet longer, so that putting it back costs a call more: half of a growth and back. */
function baselineOf(forward: (typeof MODES)[number], fixture: PlaneFixture, frame: Uint8Array): number {
  const nothing = lowQuartile(run(fixture, frame, 'nothing', { flows: 10 }))
  if (forward !== 'tun') return nothing
  return nothing + (lowQuartile(run(fixture, frame, 'grow', { flows: 10 })) - nothing) / 2
}

function measureMode(forward: (typeof MODES)[number]): Record<string, number> {
  return withPlane({ forward }, (fixture) => {
    const frame = udp(VIP)
    const baseline = baselineOf(forward, fixture, frame)
    const net = (figure: number) => Math.round(figure - baseline)
    const figures: Record<string, number> = { baseline: Math.round(baseline) }
    figures['not ours'] = net(lowQuartile(run(fixture, udp('10.9.0.5'), 'balance', { flows: 10 })))
    for (const flows of FLOWS) {
      if (forward === 'fullnat' && flows > FULLNAT_FLOWS) continue
      figures[`first at ${flows} flows`] = net(mean(run(fixture, frame, 'balance', { flows, packets: flows })))
      // The second confirms the flow.
      run(fixture, frame, 'balance', { flows, packets: flows })
      const later = lowQuartile(run(fixture, frame, 'balance', { flows, packets: Math.max(CHUNK * LEAST_CHUNKS, flows * 2) }))
      figures[`later at ${flows} flows`] = net(later)
      if (flows === FLOWS[0]) figures[`later at ${flows} flows, gross`] = later
    }
    if (forward !== 'fullnat')
      figures[`later at ${MOST_FLOWS} flows, zipf`] = net(
        lowQuartile(run(fixture, frame, 'balance', { flows: MOST_FLOWS, isOrdered: true })),
      )
    return figures
  })
}

function writeOrders(): void {
  const keys = Uint32Array.from({ length: orderCount }, (_, index) => index)
  const next = zipf(MOST_FLOWS, ZIPF_EXPONENT, seededRandom(1))
  const flows = Uint32Array.from({ length: orderCount }, next)
  restorer.map('orders').setMany(new Uint8Array(keys.buffer), new Uint8Array(flows.buffer))
}

/** First packets of TCP flows among 100 servers: what a choice costs. */
function measureAlgorithm(algorithm: PacketService['algorithm']): number {
  const servers = Array.from({ length: 100 }, (_, index) =>
    server(`s${index}`, 11 + (index % 4), { port: 1000 + index, weight: 1 + (index % 3) }),
  )
  return withPlane({ algorithm, forward: 'dr', servers }, (fixture) => {
    const frame = buildFrame({ source: CLIENT, destination: VIP, sourcePort: 0, payload: 60, flags: 'S' })
    const baseline = baselineOf('dr', fixture, frame)
    const figures = run(fixture, frame, 'balance', { flows: MOST_FLOWS, packets: CHUNK * LEAST_CHUNKS })
    return Math.round(1e9 / (lowQuartile(figures) - baseline))
  })
}

layNetwork()
writeOrders()
const modes = Object.fromEntries(MODES.map((mode) => [mode, measureMode(mode)]))
const newFlowsPerSecond = Object.fromEntries(
  (['weighted-least-connections', 'maglev', 'weighted-round-robin'] as const).map((name) => [name, measureAlgorithm(name)]),
)
restorer.close()
writeFileSync(process.argv[2], JSON.stringify({ nanosecondsPerPacket: modes, newFlowsPerSecondWith100Servers: newFlowsPerSecond }))
