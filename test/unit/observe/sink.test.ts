import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import { CHUNK_BYTES, MAX_CHUNKS_IN_FLIGHT } from '../../../src/observe/access-log/sink.ts'
import { splitTemplate } from '../../../src/observe/access-log/template.ts'
import { type AccessLogFormat, AccessLogSink, type LogChunk, type LogPort } from '../../../src/observe/index.ts'
import { logRecord } from '../../support/log-record.ts'

const FORMAT: AccessLogFormat = { kind: 'template', parts: splitTemplate('{uri}') }
const DROPPED = 3

/** The control thread's end: takes chunks, and gives buffers back when it is told to. */
class Control implements LogPort {
  readonly lines: string[] = []
  readonly buffers: ArrayBuffer[] = []
  chunks = 0
  #listener: (bytes: ArrayBuffer) => void = () => undefined

  postMessage({ bytes, length }: LogChunk, transfer: ArrayBuffer[]): void {
    const [moved] = transfer.map((buffer) => buffer.transfer())
    assert.equal(bytes.detached, true)
    this.chunks++
    this.buffers.push(moved)
    this.lines.push(...Buffer.from(moved, 0, length).toString().split('\n').slice(0, -1))
  }

  on(_event: 'message', listener: (bytes: ArrayBuffer) => void): void {
    this.#listener = listener
  }

  giveBack(count = this.buffers.length): void {
    for (const buffer of this.buffers.splice(0, count)) this.#listener(buffer)
  }
}

function sinkOver(control: LogPort) {
  const row = new Float64Array(8)
  return { sink: new AccessLogSink(control, FORMAT, row, DROPPED), dropped: () => row[DROPPED] }
}

function numbered(sink: AccessLogSink, from: number, to: number, padding = ''): void {
  for (let i = from; i < to; i++) {
    const { memory, record } = logRecord({ uri: `/${i}${padding}` })
    sink.write(memory, record)
  }
}

describe('access log sink', () => {
  it('collects lines, and says with the first of a chunk that a flush is due', () => {
    const control = new Control()
    const { sink } = sinkOver(control)
    const { memory, record } = logRecord({ uri: '/a' })
    assert.equal(sink.write(memory, record), true)
    assert.equal(sink.write(memory, record), false)
    assert.equal(control.chunks, 0)
    sink.flush()
    sink.flush()
    assert.equal(control.chunks, 1)
    assert.equal(sink.write(memory, record), true)
    assert.deepEqual(control.lines, ['/a', '/a'])
  })

  it('sends a chunk off by itself when it is full', () => {
    const control = new Control()
    const { sink } = sinkOver(control)
    numbered(sink, 0, 2000, 'x'.repeat(90))
    assert.ok(control.chunks >= 2)
    sink.flush()
    assert.equal(control.lines.length, 2000)
  })

  it('never waits: when the control thread lags, lines are dropped and counted, and all others arrive in order', () => {
    const control = new Control()
    const { sink, dropped } = sinkOver(control)
    const padding = 'x'.repeat(1000)
    numbered(sink, 0, 4000, padding)
    assert.equal(control.chunks, MAX_CHUNKS_IN_FLIGHT)
    const lost = dropped()
    assert.ok(lost > 0)
    assert.equal(control.lines.length, 4000 - lost)
    control.giveBack()
    numbered(sink, 4000, 4100, padding)
    sink.flush()
    assert.equal(dropped(), lost)
    assert.equal(control.lines.length, 4100 - lost)
    const numbers = control.lines.map((line) => Number.parseInt(line.slice(1), 10))
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    )
  })

  it('uses buffers that come back again', () => {
    const control = new Control()
    const { sink } = sinkOver(control)
    numbered(sink, 0, 1)
    sink.flush()
    control.giveBack()
    numbered(sink, 1, 2)
    sink.flush()
    assert.equal(control.buffers[0].byteLength, CHUNK_BYTES)
    assert.deepEqual(control.lines, ['/0', '/1'])
  })

  it('takes another format with the next line', () => {
    const control = new Control()
    const { sink } = sinkOver(control)
    numbered(sink, 0, 1)
    sink.reformat({ kind: 'template', parts: splitTemplate('uri={uri}') })
    numbered(sink, 1, 2)
    sink.flush()
    assert.deepEqual(control.lines, ['/0', 'uri=/1'])
  })

  it('works over a MessagePort', async () => {
    const { port1, port2 } = new MessageChannel()
    const { sink } = sinkOver(port1 as unknown as LogPort)
    const arrived = new Promise<string>((resolve) => {
      port2.once('message', ({ bytes, length }: LogChunk) => resolve(Buffer.from(bytes, 0, length).toString()))
    })
    numbered(sink, 0, 2)
    sink.flush()
    assert.equal(await arrived, '/0\n/1\n')
    port1.close()
  })
})
