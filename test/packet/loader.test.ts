import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { BpfObject, loadObject } from '../../src/kernel/bpf/index.ts'
import { native } from '../../src/kernel/index.ts'
import { inNamespace, layNetwork, server, service, VIP, withPlane } from './namespace.ts'

const folder = join(import.meta.dirname, '../../bpf/dist')
const clock = readFileSync(join(folder, 'clock.bpf.o'))

/** The object with the first instruction of a section replaced. */
function withInstruction(section: string, instruction: readonly number[]): Uint8Array {
  const bytes = Uint8Array.from(clock)
  const found = new BpfObject(bytes).elf.sections.find(({ name }) => name === section)
  assert.ok(found !== undefined)
  const at = Buffer.from(bytes).indexOf(Buffer.from(found.bytes))
  bytes.set(instruction, at)
  return bytes
}

inNamespace(import.meta.filename, () => {
  layNetwork()

  test("a program that the verifier refuses is refused with the end of the verifier's log", () => {
    // r0 = *(u64 *)(r10 + 8): above the stack.
    const object = new BpfObject(withInstruction('syscall', [0x79, 0xa0, 0x08, 0, 0, 0, 0, 0]))
    assert.throws(() => loadObject(native(), object), {
      code: 'BPF_REFUSED',
      message: /verifier refused program read_clock .*\n(.*\n)*.*invalid read from stack/,
    })
  })

  test('bpftool finds the services, servers and programs that were written', () => {
    const two = [server('a', 11, { weight: 3 }), server('b', 12, { weight: 5, port: 8080, isDraining: true })]
    withPlane([service({ servers: two })], (fixture) => {
      const map = (name: string) => {
        const [, id] = /^map_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fixture.plane.object.map(name).fd}`, 'latin1')) ?? []
        return (bpftool('map', 'dump', 'id', id) as { formatted?: unknown }[]).map((each) => each.formatted ?? each)
      }
      const [{ key, value }] = map('services') as { key: { port: number; protocol: number; address: { word: number[] } }; value: number }[]
      assert.deepEqual([key.port, key.protocol, value], [80 << 8, 6, 0])
      assert.equal(Buffer.from(Uint32Array.of(key.address.word[3]).buffer).join('.'), VIP)
      const servers = map('servers').slice(0, 2) as { value: { weight: number; flags: number; port: number } }[]
      const seen = servers.map((each) => [each.value.weight, each.value.flags, each.value.port])
      assert.deepEqual(seen, [
        [300, 0, 0],
        [500, 2, 0x901f],
      ])
      const [{ xdp }] = bpftool('net') as { xdp: { devname: string; mode?: string }[] }[]
      assert.deepEqual(xdp.map(({ devname }) => devname).sort(), ['c0', 's0'])
      assert.equal(fixture.plane.status().interfaces.length, 2)
    })
    assert.deepEqual((bpftool('net') as { xdp: unknown[] }[])[0].xdp, [])
  })
})

function bpftool(...words: string[]): unknown {
  return JSON.parse(execFileSync('bpftool', ['-j', ...words], { encoding: 'utf8', maxBuffer: 1 << 26 }))
}
