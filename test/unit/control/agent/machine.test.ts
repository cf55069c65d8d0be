import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerDocument, answerLine, NO_WISH, readWish, type Wish } from '../../../../src/control/agent/answers.ts'
import { Machine } from '../../../../src/control/agent/machine.ts'

function proc(changes: Record<string, string | undefined> = {}) {
  const files: Record<string, string | undefined> = {
    '/proc/stat': 'cpu  100 0 100 800 0 0 0 0 50 0\ncpu0 1 2 3 4\n',
    '/proc/meminfo': 'MemTotal:        8000 kB\nMemFree:  100 kB\nMemAvailable:    6000 kB\n',
    '/proc/net/sockstat': 'sockets: used 300\nTCP: inuse 17 orphan 0 tw 5 alloc 20 mem 1\nUDP: inuse 3 mem 0\n',
    '/proc/net/sockstat6': 'TCP6: inuse 4\nUDP6: inuse 1\n',
    ...changes,
  }
  const read = (path: string): string => {
    const text = files[path]
    if (text === undefined) throw new Error(`ENOENT ${path}`)
    return text
  }
  return { files, read }
}

test('CPU is what was used between two samples; guests are not counted twice', () => {
  const { files, read } = proc()
  const machine = new Machine(read)
  assert.deepEqual(machine.load, { cpu: 0, memory: 25, connections: 21 })
  files['/proc/stat'] = 'cpu  130 10 120 820 10 5 5 0 80 0\n'
  machine.sample()
  assert.equal(machine.load.cpu, 70)
  files['/proc/stat'] = 'cpu  130 10 120 910 20 5 5 0 80 0\n'
  machine.sample()
  assert.equal(machine.load.cpu, 35)
  machine.sample()
  assert.equal(machine.load.cpu, 35)
})

test('memory is what is not available', () => {
  const { files, read } = proc({ '/proc/net/sockstat6': undefined })
  const machine = new Machine(read)
  assert.equal(machine.load.connections, 17)
  files['/proc/meminfo'] = 'MemTotal: 3000 kB\nMemAvailable: 1000 kB\n'
  machine.sample()
  assert.equal(machine.load.memory, 66.7)
})

test('files that are not those of Linux are refused', () => {
  assert.throws(() => new Machine(proc({ '/proc/stat': 'intr 1\n' }).read), /how busy the CPUs are/)
  assert.throws(() => new Machine(proc({ '/proc/meminfo': 'MemTotal: 10 kB\n' }).read), /how much memory/)
})

test('this machine can be measured', () => {
  const machine = new Machine()
  machine.sample()
  const { cpu, memory, connections } = machine.load
  assert.ok(cpu >= 0 && cpu <= 100 && memory > 0 && memory <= 100 && connections >= 0)
})

const LOAD = { cpu: 37.5, memory: 61, connections: 120 }

test('the line has state and share, never 0 % by itself', () => {
  assert.equal(answerLine(LOAD, 0, NO_WISH), 'ready up 39%\n')
  assert.equal(answerLine(LOAD, 150, NO_WISH), 'ready up 20%\n')
  assert.equal(answerLine(LOAD, 10, NO_WISH), 'ready up 1%\n')
  assert.equal(answerLine(LOAD, 0, readWish('drain # deploy') as Wish), 'drain up 39% # deploy\n')
  assert.equal(answerLine(LOAD, 0, readWish('maint down 0% maxconn:5') as Wish), 'maint down 0% maxconn:5\n')
})

test('the document has what was measured, and the state', () => {
  const document = (limit: number, text: string) => JSON.parse(answerDocument(LOAD, limit, readWish(text) as Wish))
  assert.deepEqual(document(0, ''), { ...LOAD, weight: 100, admin: 'ready', health: 'up' })
  assert.deepEqual(document(1000, 'maint down 50% maxconn:5 # why'), {
    ...LOAD,
    maxConnections: 1000,
    weight: 50,
    limit: 5,
    admin: 'maintenance',
    health: 'down',
    reason: 'why',
  })
})

test('the first line of a state file with anything in it counts', () => {
  assert.equal(readWish('\n\n  drain  \nmaint\n')?.line, 'drain')
  assert.equal(readWish(' \n'), NO_WISH)
  assert.equal(readWish('drian'), undefined)
})
