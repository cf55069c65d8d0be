import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { splitTemplate } from '../../../src/observe/access-log/template.ts'
import { ACCESS_LOG_VARIABLES, type AccessLogFormat, LineWriter, MAX_LINE_BYTES } from '../../../src/observe/index.ts'
import { logRecord, type RecordText } from '../../support/log-record.ts'

const JSON_FORMAT: AccessLogFormat = { kind: 'json' }
const COMBINED: AccessLogFormat = { kind: 'combined' }
const template = (text: string): AccessLogFormat => ({ kind: 'template', parts: splitTemplate(text) })

function line(format: AccessLogFormat, text: RecordText = {}, numbers: Parameters<typeof logRecord>[1] = {}): string {
  const { memory, record } = logRecord(text, numbers)
  const out = new Uint8Array(MAX_LINE_BYTES + 10).fill(0x7e)
  const end = new LineWriter(format).write(out, 5, memory, record)
  assert.ok(end - 5 <= MAX_LINE_BYTES, 'the line keeps its limit')
  assert.equal(Buffer.from(out.subarray(end)).toString().replaceAll('~', ''), '', 'nothing is written behind the line')
  const written = Buffer.from(out.subarray(5, end)).toString('utf8')
  assert.ok(written.endsWith('\n') && !written.slice(0, -1).includes('\n'), 'one line')
  return written.slice(0, -1)
}

const EXAMPLE: RecordText = { method: 'GET', uri: '/a?b=c', host: 'shop.test:8080', userAgent: 'curl/8', referer: 'http://x/' }
const NUMBERS = {
  timeMs: Date.UTC(2026, 10, 1, 4, 33, 34, 7),
  status: 200,
  bytesIn: 0,
  bytesOut: 12_345,
  durationMs: 1.2344,
  firstByteMs: 0.5,
  attempts: 1,
  queueMs: 2.5,
  queuePosition: 3,
  listener: 'web',
  route: 'routes[3]',
  pool: 'app',
  server: 'a',
  termination: 'complete',
}

describe('access log lines', () => {
  it('are JSON with all variables', () => {
    assert.deepEqual(JSON.parse(line(JSON_FORMAT, EXAMPLE, NUMBERS)), {
      time: '2026-11-01T04:33:34.007Z',
      client: '192.0.2.1',
      method: 'GET',
      uri: '/a?b=c',
      host: 'shop.test:8080',
      version: '1.1',
      status: 200,
      bytesIn: 0,
      bytesOut: 12345,
      duration: 1.234,
      firstByte: 0.5,
      attempts: 1,
      queueTime: 2.5,
      queuePosition: 3,
      listener: 'web',
      route: 'routes[3]',
      pool: 'app',
      server: 'a',
      termination: 'complete',
      userAgent: 'curl/8',
      referer: 'http://x/',
      tlsVersion: null,
      tlsCipher: null,
      serverName: null,
      ja3: null,
      ja4: null,
    })
  })

  it('are in the combined format', () => {
    assert.equal(
      line(COMBINED, EXAMPLE, NUMBERS),
      '192.0.2.1 - - [01/Nov/2026:04:33:34 +0000] "GET /a?b=c HTTP/1.1" 200 12345 "http://x/" "curl/8"',
    )
  })

  it('follow a template, and leave what is no variable as it is', () => {
    assert.equal(
      line(template('{client} {server}: {status} {nothing} {duration}ms {'), EXAMPLE, NUMBERS),
      '192.0.2.1 a: 200 {nothing} 1.234ms {',
    )
  })

  it('know every variable that is documented', () => {
    const all = Object.keys(ACCESS_LOG_VARIABLES)
    assert.deepEqual(Object.keys(JSON.parse(line(JSON_FORMAT))), all)
    for (const name of all) assert.notEqual(line(template(`{${name}}`), EXAMPLE, NUMBERS), '', name)
  })

  it('say "-" for what is not there, in JSON null', () => {
    assert.equal(line(template('{uri} {userAgent} {pool} {firstByte}')), '- - - -')
    const { uri, userAgent, pool, firstByte } = JSON.parse(line(JSON_FORMAT))
    assert.deepEqual({ uri, userAgent, pool, firstByte }, { uri: null, userAgent: null, pool: null, firstByte: null })
  })

  it('write numbers and times exactly', () => {
    for (const bytesOut of [0, 9, 10, 99, 100, 2 ** 30 - 1, 2 ** 30, 2 ** 31, 2 ** 32, 10 ** 12, Number.MAX_SAFE_INTEGER])
      assert.equal(line(template('{bytesOut}'), {}, { bytesOut }), String(bytesOut))
    for (const [durationMs, text] of [
      [0, '0.000'],
      [0.0004, '0.000'],
      [0.9996, '1.000'],
      [12.05, '12.050'],
      [86_400_000.999, '86400000.999'],
    ] as const)
      assert.equal(line(template('{duration}'), {}, { durationMs }), text)
  })

  it('keep up with the second', () => {
    const { memory, record } = logRecord()
    const writer = new LineWriter(template('{time}'))
    const out = new Uint8Array(MAX_LINE_BYTES)
    for (const timeMs of [1_000_000_000_999, 1_000_000_001_000, 1_000_000_001_001.9, 999_999_999_999]) {
      record.timeMs = timeMs
      const end = writer.write(out, 0, memory, record)
      assert.equal(Buffer.from(out.subarray(0, end - 1)).toString(), new Date(timeMs).toISOString())
    }
  })
})

describe('access log lines of hostile requests', () => {
  it('cannot be forged with line breaks, quotes or terminal escapes', () => {
    const uri = '/"x\\\n192.0.2.9 - - "GET \x1b[2J\x00\x7f\x9b'
    assert.equal(line(template('"{uri}"'), { uri }), '"/\\x22x\\x5c\\x0a192.0.2.9 - - \\x22GET \\x1b[2J\\x00\\x7f\\x9b"')
    const json = line(JSON_FORMAT, { uri })
    assert.equal(JSON.parse(json).uri, '/"x\\\n192.0.2.9 - - "GET \x1b[2J\x00\x7f\ufffd')
    assert.ok(!/[\x00-\x1f\x7f-\x9f]/.test(json))
  })

  it('are valid JSON and UTF-8 whatever bytes are in them, and keep valid text', () => {
    const bytes = fc.array(
      fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0xc2, 0xe2, 0x80, 0xa8, 0xf0, 0x9f, 0x98, 0x80, 0x22, 0x5c)),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          fc.string({ unit: 'binary', maxLength: 20 }).map((text) => [...Buffer.from(text)]),
        ),
        (input) => {
          const buffer = Buffer.from(input)
          const { memory, record } = logRecord({ uri: buffer.toString('latin1'), userAgent: 'x' })
          const out = new Uint8Array(MAX_LINE_BYTES)
          const end = new LineWriter(JSON_FORMAT).write(out, 0, memory, record)
          const text = new TextDecoder('utf-8', { fatal: true }).decode(out.subarray(0, end))
          const { uri } = JSON.parse(text)
          const isText = Buffer.from(buffer.toString('utf8')).equals(buffer) && !/[\x80-\x9f]/.test(buffer.toString('utf8'))
          if (input.length === 0) assert.equal(uri, null)
          else if (isText) assert.equal(uri, buffer.toString('utf8'))
          else assert.ok(uri.includes('\ufffd'))
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('stay within their limit, and JSON stays JSON, when everything is as long as can be', () => {
    for (const character of ['a', '"', '\n', '\x80', '\xc3']) {
      const long = character.repeat(30_000)
      const text = { method: long, uri: long, host: long, userAgent: long, referer: long }
      const name = long.replaceAll('\x80', 'é')
      const names = {
        listener: name,
        route: name,
        pool: name,
        server: name,
        termination: name,
        bytesOut: Number.MAX_SAFE_INTEGER,
        firstByteMs: 1e9,
      }
      const parsed = JSON.parse(line(JSON_FORMAT, text, { ...NUMBERS, ...names }))
      assert.ok(parsed.uri.endsWith('...') && parsed.referer.endsWith('...') && parsed.pool.endsWith('...'))
      line(template('{uri}{uri}{uri}{userAgent}{pool}{bytesOut}{time}{uri}'), text, names)
      line(COMBINED, text, names)
    }
  })

  it('escape the names of the configuration too', () => {
    assert.equal(line(template('{pool}'), {}, { pool: 'a\n"é' }), 'a\\x0a\\x22\\xc3\\xa9')
    assert.equal(JSON.parse(line(JSON_FORMAT, {}, { pool: 'a\n"é' })).pool, 'a\n"é')
  })
})
