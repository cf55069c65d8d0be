import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { formatDiagnostics, loadConfig } from '../../src/config/index.ts'
import { makeSelfSigned } from '../../src/control/self-signed.ts'
import { CATALOGUE } from '../../src/pool/index.ts'
import { temporaryFolder } from '../support/cleanup.ts'

const root = join(import.meta.dirname, '../..')
const pages = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: root }).sort()

test('links between the pages lead somewhere', () => {
  const broken: string[] = []
  for (const page of pages) {
    for (const [, target] of read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (!/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(page), target))) broken.push(`${page}: ${target}`)
    }
  }
  assert.deepEqual(broken, [])
})

for (const page of pages) {
  const configs = [...read(page).matchAll(/^```ya?ml\n([\s\S]*?)^```$/gm)]
    .map(([, text]) => text)
    .filter((text) => /^listeners:/m.test(text))
  if (configs.length === 0) continue
  test(`the configurations in ${page} are valid`, async (t) => {
    const folder = temporaryFolder(t)
    const file = join(folder, 'evener.yaml')
    const { cert, key } = makeSelfSigned(['shop.test'])
    for (const text of configs) {
      writeFileSync(file, text)
      // Certificates that a page names are there.
      for (const [name] of text.matchAll(/[\w-]+\.(?:pem|key|ocsp)\b/g))
        writeFileSync(join(folder, name), name.endsWith('.key') ? key : cert)
      const { plan, diagnostics } = await loadConfig(file, { env: {} })
      assert.ok(plan !== undefined, formatDiagnostics(diagnostics, { color: false }))
    }
  })
}

test('docs/balancing.md has every algorithm with its aliases', () => {
  const rows = [...read('docs/balancing.md').matchAll(/^\| `([\w-]+)` \|([^|]*)\|[^|]*\| (yes|no) \|/gm)].map(
    ([, name, also, weighted]) => [name, [...also.matchAll(/`([\w-]+)`/g)].map(([, alias]) => alias), weighted === 'yes'],
  )
  assert.deepEqual(
    rows,
    CATALOGUE.map(({ name, aliases, weighted }) => [name, [...aliases], weighted]),
  )
})

test('the measured table of README.md is that of the newest committed result', () => {
  const check = spawnSync(process.execPath, [join(root, 'bench/readme.ts'), '--check'], { encoding: 'utf8' })
  assert.equal(check.status, 0, check.stderr)
})

function read(page: string): string {
  return readFileSync(join(root, page), 'utf8')
}
