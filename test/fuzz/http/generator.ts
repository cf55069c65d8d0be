import type { CorpusEntry } from './corpus.ts'
import { mutate, type Random } from './mutator.ts'
import type { Kind, Stream } from './properties.ts'

/** A generated stream as it is, one with small changes, or a changed entry of the corpus. */
export function hostile(random: Random, kind: Kind, entries: readonly CorpusEntry[]): Stream {
  const entry = random.pick(entries)
  const method = kind === 'response' ? random.pick(['GET', 'GET', 'HEAD']) : 'GET'
  switch (random.below(4)) {
    case 0:
      return { kind, input: generate(random, kind), method }
    case 1:
      return { kind, input: mutate(random, entry.input, random.pick(entries).input), method: entry.method }
    default:
      return { kind, input: mutate(random, generate(random, kind), entry.input), method }
  }
}

/** Streams of one to three messages that are valid, but written in all the ways that the grammar allows. */
export function generate(random: Random, kind: Kind): Uint8Array {
  let text = ''
  for (let messages = 1 + random.below(3); messages > 0; messages--) text += kind === 'request' ? request(random) : response(random)
  return Buffer.from(text, 'latin1')
}

const METHODS = ['GET', 'GET', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'DELETE', 'PATCH', 'PROPFIND', 'BREW', 'M-SEARCH']
const PATHS = ['/', '/a', '/a/b/', '/%41%2f', '//x', '/a;b=c', '/a|b', '/a:b@c', "/~a-b_c.d!e$f&g'h(i)j*k+l,m", '/../x']
const QUERIES = ['', '', '?', '?a=b', '?a=b&c=%64', '?%', '?a?b', '?x=\\', '?[a]=1']
const HOSTS = [
  'a',
  'a.test',
  'a.test:80',
  'A.Test.',
  '127.0.0.1',
  '127.0.0.1:8080',
  '[::1]',
  '[2001:db8::1]:443',
  'a:',
  'my_host',
  'xn--caf-dma.test',
]
const NAMES = [
  'X',
  'x-a',
  'X-Long-Name-Of-A-Field',
  'Accept',
  'user-agent',
  'Cookie',
  'DATE',
  'x_y',
  'X.Y',
  "!#$%&'*+-.^_`|~0",
  'TE',
  'Via',
  'Upgrade',
  'Keep-Alive',
]
const VALUES = [
  '',
  'a',
  'a b',
  'a\tb',
  '"q, \\" z"',
  'caf\xe9 \xff',
  'x'.repeat(70),
  ':',
  'a:b',
  ', ,',
  '100-continue',
  'chunked',
  '0',
  '\x80\xa0',
]
const SPACES = ['', ' ', ' ', ' ', '  ', '\t', ' \t ']
const CONNECTIONS = [
  'keep-alive',
  'Keep-Alive',
  'close',
  'upgrade',
  'x-a',
  'keep-alive, X-A',
  ' , x-a ,, keep-alive',
  'te',
  '',
  'a b',
  'transfer-encoding',
]
const EXTENSIONS = ['', '', '', ';a', ';a=b', ';a="b;c=\\"d"', ' ; a = "" ;b', ';a=b;c']
const TRAILERS = ['', '', '', 'X: y\r\n', 'x-sum:1\r\nX-B:  \t2 \r\n', 'Date: now\r\n', 'X:\r\n']
const STATUSES = [
  '200 OK',
  '200 OK',
  '200 ',
  '200',
  '204 No Content',
  '304 Not Modified',
  '404 N\xf3t  Found',
  '500 x',
  '103 Early Hints',
  '101 Up',
  '599 ',
]
const VERSIONS = ['1.1', '1.1', '1.1', '1.1', '1.0', '1.2']

function request(random: Random): string {
  const version = random.pick(VERSIONS)
  const method = random.pick(METHODS)
  const target = method === 'OPTIONS' && random.below(2) === 0 ? '*' : targetText(random)
  const fields = manyFields(random)
  if (version !== '1.0' || random.below(2) === 0) fields.push(field(random, 'Host', random.pick(HOSTS)))
  const body = bodyText(random, version === '1.0' ? 2 : 3, fields)
  const emptyLine = random.below(10) === 0 ? '\r\n' : ''
  return `${emptyLine}${method} ${target} HTTP/${version}\r\n${shuffle(random, fields).join('')}\r\n${body}`
}

function targetText(random: Random): string {
  const origin = random.pick(PATHS) + random.pick(QUERIES)
  if (random.below(6) !== 0) return origin
  return random.pick(['http://', 'HTTPS://', 'Http://']) + random.pick(HOSTS) + random.pick([origin, '', '?q'])
}

function response(random: Random): string {
  const version = random.pick(VERSIONS)
  const status = random.pick(STATUSES)
  const fields = manyFields(random)
  let body = bodyText(random, version === '1.0' ? 2 : 3, fields)
  if (/^(1|204|304)/.test(status)) body = ''
  return `HTTP/${version} ${status}\r\n${shuffle(random, fields).join('')}\r\n${body}`
}

function manyFields(random: Random): string[] {
  const fields = Array.from({ length: random.below(8) }, () => field(random, random.pick(NAMES), random.pick(VALUES)))
  if (random.below(3) === 0) fields.push(field(random, 'Connection', random.pick(CONNECTIONS)))
  return fields
}

/** Adds the field that announces the body, if there is one. */
function bodyText(random: Random, kinds: number, fields: string[]): string {
  const content = 'a'.repeat(random.pick([0, 1, 5, 16, 300]))
  switch (random.below(kinds)) {
    case 0:
      return ''
    case 1:
      fields.push(field(random, 'Content-Length', '0'.repeat(random.below(3)) + content.length))
      return content
    default:
      fields.push(field(random, 'Transfer-Encoding', random.pick(['chunked', 'Chunked', 'CHUNKED'])))
      return chunks(random)
  }
}

function chunks(random: Random): string {
  let text = ''
  for (let count = random.below(4); count > 0; count--) {
    const length = random.pick([1, 9, 10, 16, 255])
    const digits = random.below(2) === 0 ? length.toString(16) : `0${length.toString(16).toUpperCase()}`
    text += `${digits}${random.pick(EXTENSIONS)}\r\n${'\r\n0'.repeat(length).slice(0, length)}\r\n`
  }
  return `${text}${random.pick(['0', '000'])}${random.pick(EXTENSIONS)}\r\n${random.pick(TRAILERS)}\r\n`
}

function field(random: Random, name: string, value: string): string {
  return `${name}:${random.pick(SPACES)}${value}${random.pick(['', '', '', ' ', '\t '])}\r\n`
}

function shuffle<T>(random: Random, values: T[]): T[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[values[i], values[j]] = [values[j], values[i]]
  }
  return values
}
