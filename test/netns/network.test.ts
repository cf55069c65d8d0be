import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { needsRoot } from '../support/needs.ts'
import { Network } from './network.ts'
import { Product } from './product.ts'

const NEEDED = needsRoot('ip', 'ethtool', 'bpftool')

test('the end of a test takes away processes, namespaces, programs, pins and files, whatever state they are in', NEEDED, async () => {
  const cleanups: (() => void)[] = []
  const network = new Network({ after: (cleanup) => cleanups.push(cleanup) })
  for (const name of ['lb', 'far']) network.addSpace(name)
  network.link('lb', 'e0', 'far', 'f0')
  const pins = network.mountPins()
  const product = await Product.start(network, 'lb', {
    workers: 1,
    engine: 'portable',
    packet: { pins },
    listeners: { vip: { bind: '10.9.0.100:80', packet: { pool: 'app', forward: 'dr', interfaces: ['e0'] } } },
    pools: { app: { servers: ['10.2.0.11:80'] } },
  })
  const link = JSON.parse(execFileSync('bpftool', ['-j', 'link', 'show', 'pinned', join(pins, 'link-e0')], { encoding: 'utf8' })) as {
    id: number
  }
  for (const cleanup of cleanups) cleanup()
  await product.ended
  assert.equal(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).includes(network.space('')), false)
  assert.equal(readFileSync('/proc/mounts', 'utf8').includes(network.folder), false)
  assert.equal(existsSync(network.folder), false)
  assert.throws(() => execFileSync('bpftool', ['link', 'show', 'id', String(link.id)], { stdio: 'pipe' }))
})

for (const [how, end, isKilled] of [
  ['is ended from outside', 'setInterval(() => {}, 1 << 30)', true],
  ['crashes', 'setImmediate(() => process.stdout.destroy(new Error("nobody reads on")))', false],
] as const) {
  test(`a test that ${how} leaves nothing either`, NEEDED, async () => {
    const script = `
    const { Network } = await import(${JSON.stringify(join(import.meta.dirname, 'network.ts'))})
    const network = new Network({ after() {} })
    network.addSpace('lb')
    network.mountPins()
    console.log(network.space('lb'), network.folder)
    ${end}`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const [space, folder] = line.toString().trim().split(' ')
    if (isKilled) child.kill('SIGTERM')
    await once(child, 'exit')
    assert.equal(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).includes(space), false)
    assert.equal(existsSync(folder), false)
  })
}
