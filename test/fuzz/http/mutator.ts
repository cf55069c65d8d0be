/** A small seeded generator (mulberry32): the same seed gives the same inputs on every machine. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** An integer from 0 to below `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound) | 0
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]
  }
}

/** What parsers disagree about: separators, numbers, names, beginnings and ends of messages. */
const FRAGMENTS = [
  '\r',
  '\n',
  '\r\n',
  '\n\r',
  '\r\n\r\n',
  '\n\n',
  '\r\n ',
  '\r\n\t',
  ' ',
  '\t',
  '\x0b',
  '\x0c',
  '\0',
  '\x7f',
  '\x80',
  '\xa0',
  '\xff',
  ':',
  ': ',
  ' :',
  ';',
  ',',
  ', ',
  '"',
  '\\',
  '=',
  '%',
  '%2',
  '%00',
  '#',
  '?',
  '/',
  '*',
  '@',
  '[',
  ']',
  '_',
  '-',
  '.',
  '+',
  '0',
  '0x',
  '1',
  '5',
  'f',
  'F',
  '0\r\n\r\n',
  '5\r\nhello\r\n',
  '5;a="b"\r\n',
  '10',
  'ffffffffffffffff',
  '9007199254740992',
  'chunked',
  'identity',
  'close',
  'keep-alive',
  'upgrade',
  '100-continue',
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer_Encoding: chunked\r\n',
  'Host: b\r\n',
  'Connection: close\r\n',
  'Connection: x-a\r\nX-A: 1\r\n',
  'X: y\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: h2c\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'HTTP/1.1',
  'HTTP/1.0',
  'http://b/',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
  'HTTP/1.1 200 OK\r\n',
  'HEAD',
  'OPTIONS',
  'CONNECT',
].map((text) => Buffer.from(text, 'latin1'))

const MAX_INPUT_BYTES = 20_000

/** One to six small changes to `input`, mostly one; now and then a part of `other` comes in. */
export function mutate(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes = Buffer.from(input)
  for (let changes = random.pick([1, 1, 1, 2, 3, 6]); changes > 0; changes--) bytes = change(random, bytes, other)
  return bytes.subarray(0, MAX_INPUT_BYTES)
}

function change(random: Random, bytes: Buffer<ArrayBuffer>, other: Uint8Array): Buffer<ArrayBuffer> {
  const at = random.below(bytes.length + 1)
  const to = Math.min(bytes.length, at + 1 + random.below(12))
  switch (random.below(8)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)])
    case 1:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)])
    case 2: {
      const from = random.below(other.length + 1)
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + random.below(80)), bytes.subarray(to)])
    }
    case 3: {
      const copy = Buffer.from(bytes)
      if (at < copy.length) copy[at] = random.below(256)
      return copy
    }
    case 4: {
      const copy = Buffer.from(bytes)
      if (at < copy.length) copy[at] ^= 1 << random.below(8)
      return copy
    }
    case 5:
      return Buffer.concat([bytes, random.below(2) === 0 ? random.pick(FRAGMENTS) : other])
    case 6:
      return Buffer.concat([bytes.subarray(0, at), random.pick(FRAGMENTS), bytes.subarray(to)])
    default:
      return Buffer.concat([bytes.subarray(0, at), random.pick(FRAGMENTS), bytes.subarray(at)])
  }
}

/** Sizes of pieces that add up to `length`; some are empty. */
export function randomPieces(random: Random, length: number): number[] {
  const pieces: number[] = []
  for (let left = length; left > 0; left -= pieces[pieces.length - 1])
    pieces.push(Math.min(left, random.below(random.pick([2, 5, 40, 400]))))
  return pieces
}
