import assert from 'node:assert/strict'
import { METHODS } from 'node:http'
import { it } from 'node:test'
import { readCorpus } from './corpus.ts'
import { hostile } from './generator.ts'
import { Random } from './mutator.ts'
import { requestsSeenByNode, responseSeenByNode } from './oracle.ts'
import { readStream, type Stream, show } from './properties.ts'
import type { SeenMessage } from './stream.ts'

const INPUTS = Number(process.env['EVENER_FUZZ_ORACLE'] ?? 2500)
const SEED = Number(process.env['EVENER_FUZZ_SEED'] ?? 1)

it('node:http sees in what is forwarded the very requests that were accepted', async () => {
  for (const stream of streams('request', 'http-requests.txt')) await compareRequests(stream)
})

it('node:http sees in what is forwarded the very responses that were accepted', async () => {
  for (const stream of streams('response', 'http-responses.txt')) {
    for (const message of readStream(stream).messages) await compareResponse(stream, message)
  }
})

function* streams(kind: Stream['kind'], file: string): Iterable<Stream> {
  const entries = readCorpus(file)
  for (const entry of entries) yield { kind, input: entry.input, method: entry.method }
  const random = new Random(SEED)
  for (let i = 0; i < INPUTS; i++) yield hostile(random, kind, entries)
}

/** All whole messages of the stream, one after the other on one connection, must be as many requests to Node, with the same content. */
async function compareRequests(stream: Stream): Promise<void> {
  const accepted = readStream(stream).messages.filter(
    (message) => message.isWhole && METHODS.includes(message.method) && message.method !== 'CONNECT',
  )
  if (accepted.length === 0) return
  const sent = Buffer.concat(accepted.map((message) => message.canonical))
  const seen = await requestsSeenByNode(sent)
  assert.equal(seen.error, '', show(sent))
  assert.equal(seen.messages.length, accepted.length, show(sent))
  accepted.forEach((message, i) => {
    const canonical = take(message)
    assert.equal(seen.messages[i].start, canonical.line.slice(0, -' HTTP/1.1'.length), show(sent))
    assert.equal(seen.messages[i].body, canonical.body, show(sent))
    assert.deepEqual(pairs(seen.messages[i].fields), canonical.fields, show(sent))
  })
}

async function compareResponse(stream: Stream, message: SeenMessage): Promise<void> {
  const isFinal = !message.summary.startsWith('1')
  if (!message.isWhole || !isFinal || stream.method === 'CONNECT') return
  const seen = await responseSeenByNode(message.canonical, stream.method)
  assert.ok(seen !== null, show(message.canonical))
  const canonical = take(message)
  assert.equal(seen.start, canonical.line.slice('HTTP/1.1 '.length), show(message.canonical))
  assert.equal(seen.body, canonical.body, show(message.canonical))
  assert.deepEqual(pairs(seen.fields), canonical.fields, show(message.canonical))
}

/** The parts of a canonical message, by a reading of its own. */
function take(message: SeenMessage): { line: string; fields: string[]; body: string } {
  const text = Buffer.from(message.canonical).toString('latin1')
  const headEnd = text.indexOf('\r\n\r\n')
  const [line, ...fields] = text.slice(0, headEnd).split('\r\n')
  const rest = text.slice(headEnd + 4)
  const chunk = /^([0-9a-f]+)\r\n/.exec(rest)
  if (!/ chunked:\d/.test(message.summary)) return { line, fields, body: rest }
  assert.ok(chunk !== null)
  return { line, fields, body: rest.slice(chunk[0].length, chunk[0].length + Number.parseInt(chunk[1], 16)) }
}

function pairs(fields: readonly string[]): string[] {
  return fields.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${fields[i + 1]}`] : []))
}
