import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planFromInput } from '../../../src/config/index.ts'
import { serversOf } from '../../../src/control/packet-services.ts'
import { ADMIN, definitionOf, HEALTH, PoolTable, SlotAllocator } from '../../../src/pool/index.ts'

/** A pool behind a packet listener, in force, and what the kernel is told of its servers. */
function lay(servers: readonly object[], pool: object = {}, packet: object = {}) {
  const { plan, diagnostics } = planFromInput({
    listeners: { vip: { bind: '10.9.0.100:80', packet: { pool: 'app', forward: 'nat', interfaces: ['eth0'], ...packet } } },
    pools: { app: { servers: servers.map((each, index) => ({ name: 'abcd'[index], address: `10.2.0.1${index}:80`, ...each })), ...pool } },
  })
  assert.ok(plan?.packet !== undefined, JSON.stringify(diagnostics))
  const [listener] = plan.packet.listeners
  const table = PoolTable.create({ servers: 8, pools: 1, workers: 1 })
  const allocator = new SlotAllocator(table)
  const definitions = plan.pools.map(definitionOf)
  const assignment = allocator.prepare(definitions, 1, 1000)
  allocator.commit(definitions, assignment, 1000)
  const [own] = assignment.pools
  const told = () => serversOf(listener, plan.pools[0], own, table)
  /** "a", "b:1" (tier 1), "c-" (no new flows), "d!" (down). */
  const standing = () =>
    told().map(({ name, tier, isDown, isDraining }) => `${name}${tier > 0 ? `:${tier}` : ''}${isDown ? '!' : isDraining ? '-' : ''}`)
  return { table, slots: own.slots, told, standing }
}

test('a later priority waits while an earlier one has a usable server, and joins it when there is none', () => {
  const { table, slots, standing } = lay([{}, {}, { priority: 1 }, { priority: 2 }])
  assert.deepEqual(standing(), ['a', 'b', 'c:1', 'd:2'])
  table.setHealth(slots[0], HEALTH.DOWN, 2000)
  assert.deepEqual(standing(), ['a!', 'b', 'c:1', 'd:2'])
  table.setAdmin(slots[1], ADMIN.DRAIN, 2000)
  assert.deepEqual(standing(), ['a!', 'b-', 'c', 'd:1'])
  table.setHealth(slots[0], HEALTH.UP, 3000)
  assert.deepEqual(standing(), ['a', 'b-', 'c:1', 'd:2'])
})

test('minAvailable has the next priority join while fewer of the smaller ones are usable', () => {
  const { table, slots, standing } = lay([{}, {}, { priority: 1 }], { minAvailable: 2 })
  assert.deepEqual(standing(), ['a', 'b', 'c:1'])
  table.setWeight(slots[0], 0)
  assert.deepEqual(standing(), ['a-', 'b', 'c'])
})

test('in panic servers that are down are used, those that an operator has taken out are not', () => {
  const { table, slots, standing } = lay([{}, {}, {}], { panic: 60, check: { tcp: {} } })
  for (const slot of slots) table.setHealth(slot, HEALTH.UP, 2000)
  table.setHealth(slots[0], HEALTH.DOWN, 2000)
  assert.deepEqual(standing(), ['a!', 'b', 'c'])
  table.setHealth(slots[1], HEALTH.DOWN, 2000)
  assert.deepEqual(standing(), ['a', 'b', 'c'])
  table.setAdmin(slots[2], ADMIN.MAINTENANCE, 2000)
  assert.deepEqual(standing(), ['a', 'b', 'c!'])
})

test('a server that no check has answered for waits for those that one has', () => {
  const { table, slots, standing } = lay([{}, {}], { check: { tcp: {} } })
  assert.deepEqual(standing(), ['a', 'b'])
  table.setHealth(slots[1], HEALTH.UP, 2000)
  assert.deepEqual(standing(), ['a-', 'b'])
})

test('slow start and agents make a share, in hundredths; capacity counts for "resource" alone', () => {
  const { table, slots, told } = lay([{ weight: 3 }])
  table.setRamp(slots[0], 333)
  table.setCapacity(slots[0], 500)
  assert.deepEqual([told()[0].weight, told()[0].share], [3, 0.34])
  table.setShare(slots[0], 500)
  assert.equal(told()[0].share, 0.17)
  const other = lay([{}], {}, { algorithm: 'resource' })
  other.table.setCapacity(other.slots[0], 500)
  assert.equal(other.told()[0].share, 0.5)
})
