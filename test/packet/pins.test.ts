import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createMap, pin } from '../../src/kernel/bpf/index.ts'
import { native } from '../../src/kernel/index.ts'
import { detachPins } from '../../src/packet/index.ts'
import { PinnedTexts } from '../../src/packet/pinned-texts.ts'
import { buildFrame } from './frame.ts'
import { CLIENT, inNamespace, layNetwork, PlaneFixture, service, VIP } from './namespace.ts'

const MAP_TYPE_ARRAY = 2

inNamespace(import.meta.filename, () => {
  layNetwork()
  const folder = mkdtempSync(join(tmpdir(), 'evener-pins-'))
  execFileSync('mount', ['-t', 'bpf', 'bpf', folder])
  after(() => {
    execFileSync('umount', [folder])
    rmSync(folder, { recursive: true })
  })

  /** A plane with one established flow has ended and left its pins. Gives their folder. */
  function leavePins(name: string): string {
    const path = join(folder, name)
    const fixture = new PlaneFixture([service({ forward: 'dr' })], { pinPath: path })
    for (const flags of ['S', 'A']) fixture.fromClient(buildFrame({ source: CLIENT, destination: VIP, flags }))
    fixture.plane.close({ keep: true })
    return path
  }

  /** A plane begins where those pins are; gives its flows' states, and the numbers of the links before and after. */
  function begin(path: string, change: () => void = () => {}): { states: string[]; links: [number[], number[]] } {
    const before = linkIds(path)
    change()
    const fixture = new PlaneFixture([service({ forward: 'dr' })], { pinPath: path })
    const states = fixture.plane.flows().map(({ state }) => state)
    const links: [number[], number[]] = [before, linkIds(path)]
    fixture.plane.close({ keep: false })
    return { states, links }
  }

  function linkIds(path: string): number[] {
    const names = existsSync(path) ? readdirSync(path).filter((name) => name.startsWith('link-')) : []
    return names.map(
      (name) => JSON.parse(execFileSync('bpftool', ['-j', 'link', 'show', 'pinned', join(path, name)], { encoding: 'utf8' })).id,
    )
  }

  test('a restart goes on with flows and links, and the last end leaves nothing', () => {
    const path = leavePins('restart')
    const { states, links } = begin(path)
    assert.deepEqual(states, ['established'])
    assert.equal(links[0].length, 2)
    assert.deepEqual(links[1], links[0])
    assert.equal(existsSync(path), false)
  })

  test('a new version whose other tables have another form keeps flows; the program is exchanged without a gap', () => {
    const path = leavePins('upgrade')
    const { states, links } = begin(path, () => {
      const map = join(path, 'map-scratches')
      rmSync(map)
      const other = createMap(native(), { name: 'scratches', type: MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1, flags: 0 }, 1)
      pin(native(), other.fd, map)
      other.close()
    })
    assert.deepEqual(states, ['established'])
    assert.deepEqual(links[1], links[0])
  })

  test('one whose flows look different begins anew, also without a gap', () => {
    const path = leavePins('layout')
    const { states, links } = begin(path, () => new PinnedTexts(native(), join(path, 'layout')).write({ flows: 'another' }))
    assert.deepEqual(states, [])
    assert.equal(links[0].length, 2)
    assert.deepEqual(links[1], links[0])
  })

  test('another size of the table of flows begins anew', () => {
    const path = leavePins('size')
    const fixture = new PlaneFixture([service({ forward: 'dr' })], { pinPath: path, flowEntries: 2048 })
    assert.deepEqual(fixture.plane.flows(), [])
    assert.equal(fixture.plane.object.map('flows').shape.maxEntries, 2048)
    fixture.plane.close({ keep: false })
  })

  test('detach takes programs off, sets forwarding back and leaves an empty file system', () => {
    const forwarding = () => readFileSync('/proc/sys/net/ipv4/conf/c0/forwarding', 'latin1').trim()
    assert.equal(forwarding(), '0')
    const path = leavePins('detach')
    assert.equal(forwarding(), '1')
    assert.deepEqual(detachPins(path), [
      'c0: the program is off',
      's0: the program is off',
      ...['ipv4.conf.c0', 'ipv4.conf.s0', 'ipv6.conf.c0', 'ipv6.conf.s0'].map((name) => `net.${name}.forwarding = 0 again`),
    ])
    assert.equal(forwarding(), '0')
    assert.equal(existsSync(path), false)
    assert.deepEqual(detachPins(path), [`nothing is pinned in ${path}`])
  })
})
