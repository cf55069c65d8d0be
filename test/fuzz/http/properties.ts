import assert from 'node:assert/strict'
import { RequestStream, ResponseStream, type SeenMessage, type SeenStream, type StreamReader } from './stream.ts'

export type Kind = 'request' | 'response'

export interface Stream {
  readonly kind: Kind
  readonly input: Uint8Array
  /** The method that a response answers. */
  readonly method: string
}

/** Bytes around the input that would change a verdict if they were looked at. */
const SURROUNDINGS = [0x41, 0x0d, 0x0a, 0x30, 0x3a]

export function readStream(stream: Stream, pieces: Iterable<number> = [stream.input.length], surround = SURROUNDINGS[0]): SeenStream {
  return open(stream, surround).run(pieces)
}

function open(stream: Stream, surround: number): StreamReader {
  if (stream.kind === 'request') return new RequestStream(stream.input, surround)
  return new ResponseStream(stream.input, surround, stream.method as 'GET')
}

/** The lines of a corpus entry's verdict. */
export function verdict(seen: SeenStream): string[] {
  const lines = seen.messages.map((message) => message.summary)
  if (seen.ending !== '') lines.push(seen.ending)
  return lines.length === 0 ? ['(nothing)'] : lines
}

/** The verdict is the same for every way in which the bytes arrive and whatever stands around them. */
export function assertSameHoweverSplit(stream: Stream, splits: Iterable<Iterable<number>>): void {
  const whole = readStream(stream)
  let surround = 0
  for (const pieces of splits) {
    const sizes = [...pieces]
    surround = (surround + 1) % SURROUNDINGS.length
    const seen = readStream(stream, sizes, SURROUNDINGS[surround])
    assert.deepEqual(verdict(seen), verdict(whole), `split into ${sizes.slice(0, 50)}: ${show(stream.input)}`)
    seen.messages.forEach((message, i) => {
      assert.equal(show(message.canonical), show(whole.messages[i].canonical), `split into ${sizes.slice(0, 50)}`)
    })
  }
}

/** What was accepted, written in canonical form, is read as the same message and written the same again. */
export function assertCanonicalIsStable(stream: Stream, seen: SeenStream): void {
  for (const message of seen.messages) {
    if (!message.isWhole) continue
    const again = readStream({ ...stream, input: message.canonical })
    assert.equal(again.messages.length, 1, `canonical form is not one message: ${show(message.canonical)}`)
    const [copy] = again.messages
    assert.equal(lasting(copy), lasting(message), show(message.canonical))
    assert.equal(show(copy.canonical), show(message.canonical))
    assert.ok(again.ending === '' || again.ending === '(end)', again.ending)
  }
}

/** The summary without what belongs to the connection, and with the host that HTTP/1.0 was given. */
function lasting(message: SeenMessage): string {
  return message.summary.replace(/( close| upgrade| options)+(?= |$)/g, '').replace(/ @ (?!.*\*)/, ' @none.test ')
}

export function show(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1')
  return JSON.stringify(text.length > 3000 ? `${text.slice(0, 3000)}…` : text)
}

export function* bytewise(length: number): Iterable<number> {
  for (let i = 0; i < length; i++) yield 1
}

export function* cutInTwo(length: number, positions = length): Iterable<number[]> {
  const step = Math.max(1, Math.floor(length / positions))
  for (let at = 1; at < length; at += step) yield [at, length - at]
}
