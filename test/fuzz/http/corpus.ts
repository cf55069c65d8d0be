import { readFileSync } from 'node:fs'

/** One entry of corpus/http-*.txt: a stream of bytes and what is to be seen in it. */
export interface CorpusEntry {
  readonly name: string
  readonly line: number
  /** What stands in brackets behind the name: the method that a response answers. */
  readonly method: string
  readonly input: Uint8Array
  readonly expected: readonly string[]
}

export function readCorpus(file: string): CorpusEntry[] {
  const lines = readFileSync(new URL(`../corpus/${file}`, import.meta.url), 'utf8').split('\n')
  const entries: CorpusEntry[] = []
  for (let i = 0; i < lines.length; ) {
    if (!lines[i].startsWith('== ')) {
      if (lines[i] !== '' && !lines[i].startsWith('#')) throw new Error(`${file}:${i + 1}: text outside of an entry`)
      i++
      continue
    }
    const heading = /^== (.*?)(?: \[([A-Z]+)\])?$/.exec(lines[i]) ?? []
    const line = ++i
    let text = ''
    while (i < lines.length && lines[i] !== '' && !lines[i].startsWith('=> ')) text += lines[i++]
    const expected: string[] = []
    while (lines[i]?.startsWith('=> ')) expected.push(lines[i++].slice(3))
    entries.push({ name: heading[1], line, method: heading[2] ?? 'GET', input: decodeText(text), expected })
  }
  return entries
}

/** \r \n \t \0 \\ \xHH, and \*80{ab} for "ab" eighty times, which may be nested. */
export function decodeText(text: string): Uint8Array {
  return Buffer.from(expand(text), 'latin1')
}

function expand(text: string): string {
  const repeat = /\\\*(\d+)\{/.exec(text)
  if (repeat === null)
    return text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex, letter) =>
      hex ? String.fromCharCode(Number.parseInt(hex, 16)) : control(letter),
    )
  const open = repeat.index + repeat[0].length
  let close = open
  for (let depth = 1; depth > 0; close++) {
    if (close === text.length) throw new Error('a repetition is not closed')
    if (text[close] === '{') depth++
    else if (text[close] === '}') depth--
  }
  const inner = expand(text.slice(open, close - 1))
  return expand(text.slice(0, repeat.index)) + inner.repeat(Number(repeat[1])) + expand(text.slice(close))
}

function control(letter: string): string {
  const meaning: Record<string, string> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' }
  if (meaning[letter] === undefined) throw new Error(`unknown escape \\${letter}`)
  return meaning[letter]
}
