import type { Contender } from './contenders.ts'
import { freePort, timeToAnswer } from './daemon.ts'
import type { Setting } from './measure.ts'

export interface StartUp {
  readonly contender: string
  readonly milliseconds: readonly number[]
}

/** From starting the process to the first answer from the origin through it. */
export async function measureStartUp(all: readonly Contender[], { folder, proxyCore, originPort, rounds }: Setting): Promise<StartUp[]> {
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
