import { join } from 'node:path'
import type { Contender, Contenders } from '../harness/contender.ts'
import { freePort, timeToAnswer } from '../harness/daemon.ts'
import type { Setting } from '../harness/measure.ts'
import { printTable, ratios } from '../harness/print.ts'
import { type BenchCase, pick } from '../harness/run.ts'
import { median, spread } from '../harness/statistics.ts'

interface StartUp {
  readonly contender: string
  readonly milliseconds: readonly number[]
}

const TITLE = 'from start to the first answer'

/** From starting the process to the first answer from the origin through it. Evener also as after installing, with nothing compiled yet. */
export function startCase(all: Contenders): BenchCase {
  const starters: Contenders = { ...all, 'evener-cold': withoutCache(all.evener) }
  return {
    name: 'start',
    async run(setting, chosen) {
      const wanted = chosen.includes('evener') ? [...chosen, 'evener-cold'] : chosen
      const starts = await measureStarts(pick(['evener', 'evener-cold', 'evener-portable', 'nginx', 'haproxy'], starters, wanted), setting)
      const rows = starts.map(({ contender, milliseconds }) => [
        contender,
        median(milliseconds).toFixed(0),
        `± ${(spread(milliseconds) * 50).toFixed(0)} %`,
      ])
      printTable(TITLE, ['', 'ms', 'spread'], rows)
      const medians = starts.map(({ contender, milliseconds }) => ({ contender, value: median(milliseconds) }))
      const [warm, cold] = ['evener', 'evener-cold'].map((name) => medians.find(({ contender }) => contender === name)?.value)
      if (warm !== undefined && cold !== undefined)
        console.log(`  evener starts ${(cold / warm).toFixed(2)} times as fast as with nothing compiled`)
      return { name: 'start', title: TITLE, unit: 'ms', medians, ratios: ratios(medians), runs: starts }
    },
  }
}

/** Each start has a folder of its own for what Node compiles, so that it finds nothing there. */
function withoutCache(contender: Contender): Contender {
  return {
    ...contender,
    name: 'evener-cold',
    command: (folder, port, originPort, variant) => [
      'env',
      `NODE_COMPILE_CACHE=${join(folder, `compiled-${port}`)}`,
      ...contender.command(folder, port, originPort, variant),
    ],
  }
}

async function measureStarts(all: readonly Contender[], { folder, proxyCore, originPort, rounds }: Setting): Promise<StartUp[]> {
  const results = all.map((contender) => ({ contender: contender.name, milliseconds: [] as number[] }))
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of all.entries()) {
      const port = await freePort()
      const command = contender.command(folder, port, originPort, contender.variants[0])
      results[index].milliseconds.push(await timeToAnswer(proxyCore, port, command))
    }
  }
  return results
}
