import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { REJECTIONS } from '../../../src/http/index.ts'
import { type CorpusEntry, readCorpus } from './corpus.ts'
import {
  assertCanonicalIsStable,
  assertSameHoweverSplit,
  bytewise,
  cutInTwo,
  type Kind,
  readStream,
  type Stream,
  verdict,
} from './properties.ts'

const CORPORA: readonly [Kind, string][] = [
  ['request', 'http-requests.txt'],
  ['response', 'http-responses.txt'],
]

for (const [kind, file] of CORPORA) {
  const entries = readCorpus(file)
  const streamOf = (entry: CorpusEntry): Stream => ({ kind, input: entry.input, method: entry.method })

  describe(`every ${kind} of ${file}`, () => {
    it('is read as the corpus says', () => {
      for (const entry of entries) {
        assert.deepEqual(verdict(readStream(streamOf(entry))), entry.expected, `${file}:${entry.line} ${entry.name}`)
      }
    })

    it('is read the same however it is split', () => {
      for (const entry of entries) {
        const { length } = entry.input
        assertSameHoweverSplit(streamOf(entry), [bytewise(length)])
        assertSameHoweverSplit(streamOf(entry), cutInTwo(length, 400))
      }
    })

    it('is the same message in canonical form, where it is accepted', () => {
      for (const entry of entries) assertCanonicalIsStable(streamOf(entry), readStream(streamOf(entry)))
    })

    it('has a name of its own', () => {
      const names = entries.map((entry) => `${entry.name} ${entry.method}`)
      assert.deepEqual(names, [...new Set(names)])
    })
  })
}

describe('the corpora', () => {
  it('hold an example of every refusal', () => {
    const seen = new Set(CORPORA.flatMap(([, file]) => readCorpus(file)).flatMap((entry) => entry.expected))
    const missing = REJECTIONS.slice(1).filter((rejection) => !seen.has(`!${rejection.name}`))
    assert.deepEqual(missing, [])
  })
})
