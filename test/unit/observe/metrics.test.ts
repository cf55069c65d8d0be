import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Exposition, type MetricDefinition, MetricsTable, observeDuration, SeriesAllocator } from '../../../src/observe/index.ts'
import { parseExposition } from '../../support/prometheus.ts'

const REQUESTS: MetricDefinition = { name: 'test_requests_total', type: 'counter', help: 'Requests.', labels: ['listener', 'status'] }
const OPEN: MetricDefinition = { name: 'test_open', type: 'gauge', help: 'Open connections.', labels: [] }
const DURATION: MetricDefinition = { name: 'test_duration_seconds', type: 'histogram', help: 'Time.', labels: ['listener'] }

describe('metrics table', () => {
  it('adds up the rows of all workers', () => {
    const table = MetricsTable.create(3)
    const cell = new SeriesAllocator(table).cell(OPEN, [])
    for (let worker = 0; worker < 3; worker++) MetricsTable.attach(table.buffer).row(worker)[cell] += worker + 1
    assert.equal(table.sum(cell), 6)
    table.clear(2, cell)
    assert.equal(table.sum(cell), 3)
  })

  it('starts each row on a cache line of its own', () => {
    const table = MetricsTable.create(2, 1001)
    assert.equal(table.row(0).byteOffset % 64, 0)
    assert.equal(table.row(1).byteOffset % 64, 0)
    assert.ok(table.row(0).length >= 1001)
  })

  it('shows the control thread what another thread counts', async () => {
    const table = MetricsTable.create(1)
    const cell = new SeriesAllocator(table).cell(OPEN, [])
    const code = `
      import { workerData } from 'node:worker_threads'
      import { MetricsTable } from ${JSON.stringify(import.meta.resolve('../../../src/observe/index.ts'))}
      const row = MetricsTable.attach(workerData.buffer).row(0)
      for (let i = 0; i < 100_000; i++) row[workerData.cell]++`
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: { buffer: table.buffer, cell } })
    await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject))
    assert.equal(table.sum(cell), 100_000)
  })
})

describe('series', () => {
  it('keep their cells over a reload', () => {
    const allocator = new SeriesAllocator(MetricsTable.create(1))
    const first = allocator.cell(REQUESTS, ['web', '2xx'])
    allocator.cell(REQUESTS, ['api', '2xx'])
    assert.equal(allocator.cell(REQUESTS, ['web', '2xx']), first)
    assert.equal(allocator.all.length, 2)
  })

  it('are told apart by all their labels, whatever is in them', () => {
    const allocator = new SeriesAllocator(MetricsTable.create(1))
    const cells = [
      ['a', 'b'],
      ['a\n', 'b'],
      ['a', '\nb'],
      ['a","b', ''],
      ['', 'a'],
    ].map((values) => allocator.cell(REQUESTS, values))
    assert.equal(new Set(cells).size, cells.length)
  })

  it('share cells that are not shown once the table is full, and are counted', () => {
    const table = MetricsTable.create(1, 1000)
    const allocator = new SeriesAllocator(table)
    const cells = Array.from({ length: 10 }, (_, i) => allocator.cell(DURATION, [`listener-${i}`]))
    const row = table.row(0)
    for (const cell of cells) observeDuration(row, cell, 1)
    assert.equal(allocator.overflowed, 7)
    assert.deepEqual(cells.slice(3), Array(7).fill(0))
    const page = new Exposition()
    page.series(DURATION, allocator.all, table)
    const { samples } = parseExposition(page.text()).get(DURATION.name) as { samples: { name: string; value: number }[] }
    assert.deepEqual(
      samples.filter(({ name }) => name.endsWith('_count')).map(({ value }) => value),
      [1, 1, 1],
    )
  })
})

describe('exposition', () => {
  it('is read back by a strict parser, with everything escaped', () => {
    const table = MetricsTable.create(2)
    const allocator = new SeriesAllocator(table)
    const nasty = 'back\\slash "quote"\nline {brace}, comma="x"'
    table.row(0)[allocator.cell(REQUESTS, [nasty, '2xx'])] += 3
    table.row(1)[allocator.cell(REQUESTS, [nasty, '2xx'])] += 4
    allocator.cell(REQUESTS, ['web', '5xx'])
    allocator.cell(OPEN, [])
    observeDuration(table.row(1), allocator.cell(DURATION, [nasty]), 3)
    const page = new Exposition()
    for (const definition of [REQUESTS, OPEN, DURATION]) page.series(definition, allocator.all, table)
    page.family({ name: 'test_up', type: 'gauge', help: 'a \\ and\na line', labels: ['server'] }, [
      { values: ['a'], value: 1 },
      { values: ['b'], value: Number.NaN },
    ])
    const families = parseExposition(page.text())
    assert.deepEqual(families.get(REQUESTS.name)?.samples, [
      { name: REQUESTS.name, labels: { listener: nasty, status: '2xx' }, value: 7 },
      { name: REQUESTS.name, labels: { listener: 'web', status: '5xx' }, value: 0 },
    ])
    assert.deepEqual(families.get(OPEN.name), {
      type: 'gauge',
      help: 'Open connections.',
      samples: [{ name: OPEN.name, labels: {}, value: 0 }],
    })
    assert.equal(families.get('test_up')?.help, 'a \\ and\na line')
    assert.ok(Number.isNaN(families.get('test_up')?.samples[1].value))
  })

  it('shows histograms in seconds at decimal bounds', () => {
    const table = MetricsTable.create(1)
    const allocator = new SeriesAllocator(table)
    const cell = allocator.cell(DURATION, ['web'])
    for (const ms of [0, 0.05, 0.1, 0.11, 1, 1.0001, 2.5, 9.99, 250, 50_000, 100_000, 100_001]) observeDuration(table.row(0), cell, ms)
    const page = new Exposition()
    page.series(DURATION, allocator.all, table)
    const samples = parseExposition(page.text()).get(DURATION.name)?.samples ?? []
    const at = (le: string): number | undefined => samples.find(({ labels }) => labels['le'] === le)?.value
    assert.deepEqual(['0.0001', '0.00025', '0.001', '0.0025', '0.01', '0.25', '50', '100', '+Inf'].map(at), [3, 4, 5, 7, 8, 9, 10, 11, 12])
    const sum = samples.find(({ name }) => name.endsWith('_sum'))?.value ?? 0
    assert.ok(Math.abs(sum - 250.2657) < 0.001, String(sum))
  })

  it('leaves out families without samples', () => {
    const page = new Exposition()
    page.series(REQUESTS, [], MetricsTable.create(1))
    page.family(OPEN, [])
    assert.equal(page.text(), '')
  })
})
