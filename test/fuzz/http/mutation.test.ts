import { it } from 'node:test'
import { readCorpus } from './corpus.ts'
import { hostile } from './generator.ts'
import { Random, randomPieces } from './mutator.ts'
import { assertCanonicalIsStable, assertSameHoweverSplit, bytewise, type Kind, readStream, show } from './properties.ts'

/**
 * EVENER_FUZZ_SECONDS=180 runs for so long with seeds of its own; without it a fixed number of inputs from one seed is tried.
 * EVENER_FUZZ_SEED=n begins with that seed. A failure names the seed and the input.
 */
const SECONDS = Number(process.env['EVENER_FUZZ_SECONDS'] ?? 0)
const FIRST_SEED = Number(process.env['EVENER_FUZZ_SEED'] ?? (SECONDS > 0 ? Date.now() % 1_000_000_007 : 1))
const INPUTS_PER_SEED = 3000

const CORPORA: Record<Kind, string> = { request: 'http-requests.txt', response: 'http-responses.txt' }

for (const kind of ['request', 'response'] as const) {
  it(`odd ${kind}s never throw or hang, and mean the same however they are split and in canonical form`, () => {
    const entries = readCorpus(CORPORA[kind]).filter((entry) => entry.input.length < 2000)
    const until = performance.now() + (SECONDS / 2) * 1000
    let seed = FIRST_SEED
    do {
      const random = new Random(seed)
      for (let i = 0; i < INPUTS_PER_SEED; i++) {
        check(seed, hostile(random, kind, entries), random)
      }
      seed++
    } while (performance.now() < until)
  })
}

function check(seed: number, stream: { kind: Kind; input: Uint8Array; method: string }, random: Random): void {
  try {
    const { length } = stream.input
    assertSameHoweverSplit(stream, [bytewise(length), randomPieces(random, length), randomPieces(random, length)])
    assertCanonicalIsStable(stream, readStream(stream))
  } catch (error) {
    throw new Error(`seed ${seed}: ${stream.kind} ${show(stream.input)}`, { cause: error })
  }
}
