import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { BpfObject } from '../../src/kernel/bpf/index.ts'
import { needs } from '../support/needs.ts'

const clock = readFileSync(join(import.meta.dirname, '../../bpf/dist/clock.bpf.o'))

test('the committed objects are what the compiler makes of bpf/', needs('clang-14', 'llvm-strip-14'), () => {
  const script = join(import.meta.dirname, '../../scripts/build-bpf.mjs')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' })
  assert.equal(status, 0, `${stdout}${stderr}`)
})

test('an object cut short anywhere is refused with the reason, or has lost nothing that is read', () => {
  let refused = 0
  for (let length = 0; length < clock.length; length += 7) {
    try {
      new BpfObject(clock.subarray(0, length))
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'BPF_OBJECT_INVALID', `cut at ${length}: ${error}`)
      refused++
    }
  }
  assert.ok(refused > clock.length / 14, `${refused} refused`)
})

test('an object with any byte changed is read or refused, never worse', () => {
  for (let at = 0; at < clock.length; at++) {
    const bytes = Uint8Array.from(clock)
    bytes[at] ^= 0xff
    try {
      new BpfObject(bytes)
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'BPF_OBJECT_INVALID', `byte ${at}: ${error}`)
    }
  }
})
