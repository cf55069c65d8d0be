import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { needs } from '../support/needs.ts'

test('the committed objects are what the compiler makes of bpf/', needs('clang-14', 'llvm-strip-14'), () => {
  const script = join(import.meta.dirname, '../../scripts/build-bpf.mjs')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' })
  assert.equal(status, 0, `${stdout}${stderr}`)
})
