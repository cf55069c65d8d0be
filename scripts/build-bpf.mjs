// Compiles bpf/*.bpf.c into bpf/dist, byte for byte the same from any directory. With --check it compares with what is committed
// instead and fails if it differs.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const bpf = join(dirname(dirname(fileURLToPath(import.meta.url))), 'bpf')
const isCheck = process.argv.includes('--check')
const out = isCheck ? mkdtempSync(join(tmpdir(), 'evener-bpf-')) : join(bpf, 'dist')
// The objects are compared with those of this very compiler: another one lays instructions differently.
const compiler = process.env.BPF_CLANG ?? 'clang-14'
const strip = process.env.BPF_STRIP ?? 'llvm-strip-14'
const flags = ['-O2', '-g', '-target', 'bpf', '-mcpu=v3', '-Wall', '-Wextra', '-Werror', '-Wno-unused-function', '-Wno-unused-parameter']
flags.push('-Wno-address-of-packed-member', '-Wno-missing-field-initializers', '-Wno-sign-compare')
flags.push('-fdebug-compilation-dir=.', `-ffile-prefix-map=${bpf}=.`, '-I/usr/include/x86_64-linux-gnu')

let differing = 0
try {
  mkdirSync(out, { recursive: true })
  for (const source of readdirSync(bpf).filter((name) => name.endsWith('.bpf.c'))) {
    const object = source.replace(/\.c$/, '.o')
    execFileSync(compiler, [...flags, '-c', source, '-o', join(out, object)], { cwd: bpf, stdio: 'inherit' })
    execFileSync(strip, ['-g', join(out, object)], { stdio: 'inherit' })
    const isSame = !isCheck || readFileSync(join(out, object)).equals(readFileSync(join(bpf, 'dist', object)))
    if (!isSame) differing++
    console.log(`${object}: ${isCheck ? (isSame ? 'same as committed' : 'DIFFERS from what is committed: npm run build:bpf') : 'built'}`)
  }
} finally {
  if (isCheck) rmSync(out, { recursive: true, force: true })
}
process.exit(differing === 0 ? 0 : 1)
