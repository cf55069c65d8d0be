/** What a line of the access log costs a worker, in nanoseconds: node bench/access-log.ts [seconds per case, default 0.5] */

import { splitTemplate } from '../src/observe/access-log/template.ts'
import { type AccessLogFormat, LineWriter, LogRecord, MAX_LINE_BYTES } from '../src/observe/index.ts'

const SECONDS = Number(process.argv[2] ?? 0.5)
const ROUND = 20_000

const memory = new Uint8Array(
  Buffer.from(
    'GET /shop/articles/garden-chairs.html?page=2&sort=price www.shop.test Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 https://www.shop.test/shop/',
  ),
)
const words = [0, 3, 4, 55, 56, 69, 70, 167, 168, memory.length]

const record = new LogRecord()
record.client = new Uint8Array(Buffer.from('192.0.2.17'))
record.timeMs = Date.UTC(2026, 10, 21, 4, 33, 34, 123)
;[record.methodStart, record.methodEnd, record.uriStart, record.uriEnd, record.hostStart, record.hostEnd] = words
;[record.userAgentStart, record.userAgentEnd, record.refererStart, record.refererEnd] = words.slice(6)
record.status = 200
record.bytesOut = 15_320
record.durationMs = 1.204
record.firstByteMs = 0.93
record.attempts = 1
record.listener = 'web'
record.route = 'listeners.web.http.routes[3]'
record.pool = 'app'
record.server = 'a'
record.termination = 'complete'

const formats: Record<string, AccessLogFormat> = {
  json: { kind: 'json' },
  combined: { kind: 'combined' },
  'template {client} {method} {uri} {status} {duration}': {
    kind: 'template',
    parts: splitTemplate('{client} {method} {uri} {status} {duration}'),
  },
}
const out = new Uint8Array(MAX_LINE_BYTES)
for (const [name, format] of Object.entries(formats)) {
  const writer = new LineWriter(format)
  const length = writer.write(out, 0, memory, record)
  let best = Number.POSITIVE_INFINITY
  const end = performance.now() + SECONDS * 1000
  while (performance.now() < end) {
    const start = performance.now()
    for (let i = 0; i < ROUND; i++) writer.write(out, 0, memory, record)
    best = Math.min(best, ((performance.now() - start) * 1e6) / ROUND)
  }
  console.log(`${name.padEnd(54)} ${String(length).padStart(5)} bytes ${best.toFixed(0).padStart(6)} ns`)
}
