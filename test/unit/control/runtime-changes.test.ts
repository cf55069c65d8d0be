import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type KnownPool, RuntimeChanges } from '../../../src/control/runtime-changes.ts'
import { StateFile } from '../../../src/control/state-file.ts'
import type { ServerPlan } from '../../../src/pool/index.ts'
import { temporaryFolder } from '../../support/cleanup.ts'

function server(name: string, changes: Partial<ServerPlan> = {}): ServerPlan {
  return { name, address: { family: 4, host: '10.0.0.1', port: 80 }, weight: 1, priority: 0, admin: 'ready', ...changes }
}

function pool(servers: readonly ServerPlan[], isDiscovered = false): KnownPool {
  return { name: 'app', servers, isDiscovered }
}

const names = (servers: readonly ServerPlan[]) => servers.map(({ name }) => name)
const before = pool([server('a'), server('b')])

test('a change holds until the configuration says something else of that server', () => {
  const changes = new RuntimeChanges().change(before, 'a', { weight: 3, admin: 'drain' })
  assert.deepEqual(
    changes.serversOf(before).map(({ weight, admin }) => [weight, admin]),
    [
      [3, 'drain'],
      [1, 'ready'],
    ],
  )
  assert.deepEqual(changes.settle([before]).pools, changes.pools)
  const heavier = pool([server('a', { weight: 2 }), server('b')])
  assert.deepEqual(
    changes.serversOf(heavier).map(({ weight, admin }) => [weight, admin]),
    [
      [2, 'drain'],
      [1, 'ready'],
    ],
  )
  const both = pool([server('a', { weight: 2, admin: 'maintenance' }), server('b')])
  assert.deepEqual(changes.settle([both]).pools, {})
})

test('a change back to what is configured leaves nothing behind', () => {
  const changes = new RuntimeChanges().change(before, 'a', { weight: 3 }).change(before, 'a', { weight: 1 })
  assert.deepEqual(changes.pools, {})
})

test('a server that was removed stays away, and comes back when it is added or has another address', () => {
  const changes = new RuntimeChanges().remove(before, 'a')
  assert.deepEqual(names(changes.serversOf(before)), ['b'])
  assert.deepEqual(names(changes.add(before, server('a')).serversOf(before)), ['a', 'b'])
  const moved = pool([server('a', { address: { family: 4, host: '10.0.0.9', port: 80 } }), server('b')])
  assert.deepEqual(names(changes.serversOf(moved)), ['a', 'b'])
  assert.deepEqual(changes.settle([moved]).pools, {})
})

test('a server that was added gives way to one of the configuration with its name', () => {
  const changes = new RuntimeChanges().add(before, server('c', { weight: 7 }))
  assert.deepEqual(names(changes.serversOf(before)), ['a', 'b', 'c'])
  assert.equal(changes.isAdded('app', 'c'), true)
  const configured = pool([server('a'), server('c', { weight: 2 })])
  assert.equal(changes.serversOf(configured)[1].weight, 2)
  assert.deepEqual(changes.settle([configured]).pools, {})
  assert.deepEqual(changes.remove(before, 'c').pools, {})
})

test('changes of a pool that is gone are forgotten, those of a discovered server that is away are kept', () => {
  const changes = new RuntimeChanges().change(before, 'a', { admin: 'drain' })
  assert.deepEqual(changes.settle([]).pools, {})
  assert.deepEqual(changes.settle([pool([server('b')])]).pools, {})
  assert.deepEqual(changes.settle([pool([server('b')], true)]).pools, changes.pools)
})

test('servers may have the names of what every object has', () => {
  const odd = pool([server('constructor'), server('__proto__')])
  const changes = new RuntimeChanges().change(odd, '__proto__', { weight: 9 })
  assert.deepEqual(
    changes.serversOf(odd).map(({ weight }) => weight),
    [1, 9],
  )
  assert.equal(changes.isAdded('app', 'constructor'), false)
})

test('the state file gives back what was written, and a write leaves no other file', (t) => {
  const folder = temporaryFolder(t)
  const file = new StateFile(join(folder, 'state.json'))
  assert.deepEqual(file.read(), { kind: 'none' })
  const changes = new RuntimeChanges()
    .change(before, 'a', { weight: 3 })
    .remove(before, 'b')
    .add(before, server('c', { address: { family: 'unix', path: '/run/c.sock' } }))
  file.write(changes)
  file.write(changes)
  const read = file.read()
  assert.equal(read.kind === 'read' && JSON.stringify(read.changes), JSON.stringify(changes))
  assert.deepEqual(readdirSync(folder), ['state.json'])
})

test('a state file that is not whole, or not ours, is told in words', (t) => {
  const path = join(temporaryFolder(t), 'state.json')
  const file = new StateFile(path)
  for (const [text, words] of [
    ['{"version":1,"po', /JSON/],
    ['{"version":2,"pools":{}}', /version: /],
    ['{"version":1,"pools":{"app":{"changed":{"a":{"weight":{"value":-1,"over":1}}},"added":[],"removed":{}}}}', /weight.value: /],
    ['{"version":1,"pools":{"app":{"changed":{},"added":["10.0.0.1"],"removed":{}}}}', /pools.app.added: server 0: .*port/],
  ] as const) {
    writeFileSync(path, text)
    const read = file.read()
    assert.equal(read.kind, 'unreadable')
    if (read.kind === 'unreadable') assert.match(read.reason, words)
  }
  const aside = file.setAside()
  assert.match(readFileSync(aside, 'utf8'), /version/)
  assert.deepEqual(file.read(), { kind: 'none' })
})
