import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { needs, program } from '../../support/needs.ts'

interface Recording {
  readonly messages: readonly { readonly command: string; readonly message: string }[]
}

test('ipvsadm sends what was recorded of it, over what answers as a kernel with IPVS does', needs('ipvsadm', 'cc'), (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'evener-ipvsadm-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const library = join(folder, 'kernel.so')
  execFileSync(program('cc'), ['-shared', '-fPIC', '-o', library, join(import.meta.dirname, 'ipvsadm-kernel.c')])
  const { messages } = JSON.parse(readFileSync(join(import.meta.dirname, 'ipvsadm.json'), 'utf8')) as Recording
  for (const [index, { command, message }] of messages.entries()) {
    const file = join(folder, String(index))
    const [, ...words] = command.split(' ')
    execFileSync(program('ipvsadm'), words, { env: { ...process.env, LD_PRELOAD: library, IPVSADM_MESSAGES: file }, stdio: 'pipe' })
    assert.equal(readFileSync(file, 'latin1').trim(), message, command)
  }
})
