import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { formatDiagnostics, jsonSchema, loadConfig } from '../../src/config/index.ts'
import { makeSelfSigned } from '../../src/control/self-signed.ts'
import { CATALOGUE } from '../../src/pool/index.ts'
import { temporaryFolder } from '../support/cleanup.ts'

const root = join(import.meta.dirname, '../..')
const pages = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: root }).sort()

test('links between the pages lead somewhere', () => {
  const broken: string[] = []
  for (const page of pages) {
    for (const [, target, anchor] of read(page).matchAll(/\]\(([^)#\s]*)(?:#([^)]*))?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const file = target === '' ? page : join(dirname(page), target)
      if (!existsSync(join(root, file))) broken.push(`${page}: ${target}`)
      else if (anchor !== undefined && !anchorsOf(read(file)).has(anchor)) broken.push(`${page}: ${target}#${anchor}`)
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

test('the numbers in README.md are those of the code', () => {
  const { properties } = jsonSchema() as { properties: Record<string, JsonSchema> }
  const kinds = Object.entries(properties.pools.additionalProperties?.properties?.check.properties ?? {}).filter(
    ([, { type }]) => type === 'object',
  )
  const [, algorithms, checks] = /([\w-]+) algorithms, [\s\S]*?checks of ([\w-]+) kinds/i.exec(read('README.md')) ?? []
  assert.deepEqual([algorithms?.toLowerCase(), checks], [inWords(CATALOGUE.length), inWords(kinds.length)])
})

test('the measured table of README.md is that of the newest committed result', () => {
  const check = spawnSync(process.execPath, [join(root, 'bench/readme.ts'), '--check'], { encoding: 'utf8' })
  assert.equal(check.status, 0, check.stderr)
})

interface JsonSchema {
  readonly type?: string
  readonly properties?: Record<string, JsonSchema>
  readonly additionalProperties?: JsonSchema
}

/** Of headings as GitHub makes them, and those that are written out. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
  return new Set([...headings, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id)])
}

/** From 10 to 39. */
function inWords(count: number): string {
  const small = 'ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' ')
  const units = ['', '-one', '-two', '-three', '-four', '-five', '-six', '-seven', '-eight', '-nine']
  return small[count - 10] ?? `${count < 30 ? 'twenty' : 'thirty'}${units[count % 10]}`
}

function read(page: string): string {
  return readFileSync(join(root, page), 'utf8')
}
