/**
 * What the HTTP/1.1 codec costs, in nanoseconds: node bench/http-codec.ts [seconds per case, default 1]
 * Each case is run in rounds; the best round counts, because everything that disturbs a round makes it slower.
 */
import {
  BODY,
  BodyReader,
  FIELD,
  flags,
  HOP_BY_HOP,
  METHOD,
  parseRequestHead,
  parseResponseHead,
  RequestHead,
  ResponseHead,
  writeBytes,
  writeChunkHeader,
  writeCrlf,
  writeFields,
  writeRequestHead,
  writeResponseHead,
} from '../src/http/index.ts'

const SECONDS = Number(process.argv[2] ?? 1)
const BLOCK = 32_768
const LIMITS = { maxLineBytes: 8192, maxHeadBytes: 16_384, maxFields: 100 }

const BROWSER = [
  'GET /shop/articles/2026/garden-chairs.html?page=2&sort=price&colour=dark%20green HTTP/1.1',
  'Host: www.shop.test:8080',
  'Connection: keep-alive',
  'Cache-Control: max-age=0',
  'Upgrade-Insecure-Requests: 1',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Referer: https://www.shop.test/shop/articles/',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
  'Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=1',
]
const WRK = ['GET / HTTP/1.1', 'Host: 127.0.0.1:8080', 'Connection: keep-alive']
const RESPONSE = [
  'HTTP/1.1 200 OK',
  'Server: nginx/1.29.3',
  'Date: Sat, 21 Nov 2026 04:19:10 GMT',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Length: 120',
  'Last-Modified: Fri, 20 Nov 2026 10:00:00 GMT',
  'ETag: "6920d3a0-78"',
]

// As in the engine: one arena, of which the codec sees blocks.
const memory = new Uint8Array(64 * BLOCK)
const requestHead = new RequestHead(LIMITS.maxFields)
const responseHead = new ResponseHead(LIMITS.maxFields)
const reader = new BodyReader()
const DROPPED = Uint8Array.from(HOP_BY_HOP)
for (const id of [FIELD.X_FORWARDED_FOR, FIELD.X_FORWARDED_HOST, FIELD.X_FORWARDED_PROTO, FIELD.FORWARDED]) DROPPED[id] = 1
const NOTHING_DROPPED = flags()
const FORWARDED = new Uint8Array(Buffer.from('X-Forwarded-For: 192.0.2.17\r\nX-Forwarded-Proto: http\r\nVia: 1.1 evener\r\n'))
const OUT = 32 * BLOCK

function place(text: string | Buffer, at: number): number {
  const bytes = Buffer.from(text as string, 'latin1')
  memory.set(bytes, at)
  return at + bytes.length
}

function headAt(lines: string[], at: number): number {
  return place(`${lines.join('\r\n')}\r\n\r\n`, at)
}

function rewriteRequest(): number {
  const head = requestHead
  const at = writeRequestHead(memory, OUT, head, DROPPED)
  return writeCrlf(memory, writeBytes(memory, at, FORWARDED))
}

function rewriteResponse(): number {
  return writeCrlf(memory, writeResponseHead(memory, OUT, responseHead, DROPPED))
}

function chunkedBody(): Buffer {
  const chunk = Buffer.alloc(1024, 'x')
  const parts: (string | Buffer)[] = []
  for (let i = 0; i < 16; i++) parts.push('400\r\n', chunk, '\r\n')
  return Buffer.concat([...parts, '0\r\n\r\n'].map((part) => Buffer.from(part as string)))
}

interface Case {
  readonly name: string
  readonly goal: number
  /** Does the work `times` times and returns something that depends on it. */
  run(times: number): number
}

function cases(): Case[] {
  const browserEnd = headAt(BROWSER, 100)
  const wrkEnd = headAt(WRK, BLOCK + 7)
  const responseEnd = headAt(RESPONSE, 2 * BLOCK)
  const chunkedEnd = place(chunkedBody(), 3 * BLOCK)
  return [
    repeat(`request, browser (${browserEnd - 100} bytes): parse`, 1000, () =>
      parseRequestHead(memory, 100, browserEnd, requestHead, LIMITS),
    ),
    repeat('request, browser: parse + rewrite', 1000, () => {
      parseRequestHead(memory, 100, browserEnd, requestHead, LIMITS)
      return rewriteRequest()
    }),
    repeat(`request, wrk (${wrkEnd - BLOCK - 7} bytes): parse`, 150, () =>
      parseRequestHead(memory, BLOCK + 7, wrkEnd, requestHead, LIMITS),
    ),
    repeat('request, wrk: parse + rewrite', 150, () => {
      parseRequestHead(memory, BLOCK + 7, wrkEnd, requestHead, LIMITS)
      return rewriteRequest()
    }),
    repeat(`response (${responseEnd - 2 * BLOCK} bytes): parse`, 250, () =>
      parseResponseHead(memory, 2 * BLOCK, responseEnd, responseHead, LIMITS, METHOD.GET),
    ),
    repeat('response: parse + rewrite', 250, () => {
      parseResponseHead(memory, 2 * BLOCK, responseEnd, responseHead, LIMITS, METHOD.GET)
      return rewriteResponse()
    }),
    repeat('response: copy only', 0, () => writeFields(memory, OUT, responseHead, NOTHING_DROPPED)),
    repeat('chunked body, 16 chunks of 1 KiB: read', 0, () => {
      reader.begin(BODY.CHUNKED, 0)
      let at = 3 * BLOCK
      while (!reader.isComplete) at = reader.read(memory, at, chunkedEnd)
      return at
    }),
    repeat('chunk header: write', 0, () => writeChunkHeader(memory, OUT, 4096)),
  ]
}

function repeat(name: string, goal: number, work: () => number): Case {
  return {
    name,
    goal,
    run(times) {
      let sum = 0
      for (let i = 0; i < times; i++) sum += work()
      return sum
    },
  }
}

let sink = 0

function measure(item: Case): number {
  const times = 20_000
  let best = Number.POSITIVE_INFINITY
  const until = performance.now() + SECONDS * 1000
  while (performance.now() < until) {
    const before = process.hrtime.bigint()
    sink += item.run(times)
    const elapsed = Number(process.hrtime.bigint() - before)
    best = Math.min(best, elapsed / times)
  }
  return best
}

for (const item of cases()) {
  const nanoseconds = measure(item)
  const goal = item.goal === 0 ? '' : `  goal ${item.goal}`
  console.log(`${nanoseconds.toFixed(1).padStart(8)} ns  ${item.name}${goal}`)
}
if (sink === 0) throw new Error('nothing was measured')
