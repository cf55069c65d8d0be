import { test } from 'node:test'
import type { Forward } from '../../src/packet/index.ts'
import { needsRoot } from '../support/needs.ts'
import { checkAlgorithms, checkDrained, listenersOf } from './algorithms.ts'
import { Product } from './product.ts'
import { layWeb, NAMES, serverAddress } from './web.ts'

const COUNT = Array.from({ length: 8 }, (_, index) => index)
const VIPS = { 4: COUNT.map((index) => `10.9.0.${100 + index}`), 6: COUNT.map((index) => `fd09::${100 + index}`) }
const SOURCES = { 4: COUNT.map((index) => `10.1.0.${20 + index}`), 6: COUNT.map((index) => `fd01::${20 + index}`) }
const FIRST_PORT = { ipip: 8001, gue: 8101 }
const WEIGHTS = [1, 3, 6]
const FAMILIES = [4, 6] as const

for (const forward of ['nat', 'fullnat', 'dr', 'tun'] as const) {
  test(`${forward}: nginx, curl and every algorithm`, needsRoot('ip', 'ethtool', 'nginx', 'curl'), async (t) => {
    const vips = FAMILIES.flatMap((family) => VIPS[family])
    const network = await layWeb(t, forward, { vips, ports: ['8001-8019', '8101-8119'] })
    for (const family of FAMILIES)
      network.address('client', 'c0', ...SOURCES[family].map((source) => `${source}/${family === 4 ? 24 : 64}`))
    const product = await Product.start(network, 'lb', configure(forward))
    for (const kind of kindsOf(forward)) {
      for (const family of FAMILIES) {
        await t.test(`${nameOf(forward, kind)} over IPv${family}: every algorithm gives servers of weights 1:3:6 what it promises`, () =>
          checkAlgorithms(network, FIRST_PORT[kind], VIPS[family], SOURCES[family]),
        )
      }
    }
    await t.test('a server that is drained gets no new connection from any algorithm', () => {
      for (const family of FAMILIES) product.command('server', 'drain', `app${family}/c`)
      for (const kind of kindsOf(forward)) for (const family of FAMILIES) checkDrained(network, FIRST_PORT[kind], VIPS[family][0])
    })
  })
}

function kindsOf(forward: Forward): readonly ('ipip' | 'gue')[] {
  return forward === 'tun' ? ['ipip', 'gue'] : ['ipip']
}

function nameOf(forward: Forward, kind: 'ipip' | 'gue'): string {
  return forward === 'tun' ? `tun by ${kind}` : forward
}

/** A listener for each algorithm, family and kind of tunnel, over a pool for each family. */
function configure(forward: Forward): object {
  const at = (host: string) => (host.includes(':') ? `[${host}]:80` : `${host}:80`)
  const pool = (isV6: boolean) => ({
    servers: WEIGHTS.map((weight, index) => ({ name: NAMES[index], address: at(serverAddress(index, isV6)), weight })),
  })
  const listeners = kindsOf(forward).flatMap((kind) =>
    FAMILIES.map((family) => {
      const local = forward === 'fullnat' ? { local: { addresses: [family === 6 ? 'fd02::1' : '10.2.0.1'] } } : {}
      const packet = { pool: `app${family}`, forward, interfaces: ['c1', 's0'], tunnel: { kind }, ...local }
      return listenersOf(FIRST_PORT[kind], VIPS[family], `${kind}${family}`, packet)
    }),
  )
  return {
    workers: 1,
    engine: 'portable',
    packet: { pins: 'none' },
    listeners: Object.assign({}, ...listeners),
    pools: { app4: pool(false), app6: pool(true) },
  }
}
