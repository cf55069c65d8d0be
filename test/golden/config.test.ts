import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { CONFIG_CODES, formatDiagnostics, loadConfig, planFromInput } from '../../src/config/index.ts'
import { temporaryFolder } from '../support/cleanup.ts'

/**
 * Each file is a configuration, a line "──── NAME", and what is expected of it: its diagnostics as a terminal shows them, and
 * parts of the Plan. More files for it stand between, under "──── file NAME". UPDATE_GOLDEN=1 writes what comes out.
 */
const folder = join(import.meta.dirname, 'config')
const cases = readdirSync(folder).sort()
const seen = new Set<string>()

for (const name of cases) {
  test(`${name.replace(/\.(yaml|json|ts|js)\.txt$/, '').replaceAll('-', ' ')}`, async (t) => {
    const file = join(folder, name)
    const [config, ...sections] = readFileSync(file, 'utf8').split(/^──── /m)
    const directory = temporaryFolder(t)
    const main = name.replace(/\.txt$/, '')
    writeFileSync(join(directory, main), config)
    const extra = sections.filter((section) => section.startsWith('file '))
    for (const section of extra) {
      const [title, ...lines] = section.split('\n')
      const path = join(directory, title.slice('file '.length))
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, lines.join('\n'))
    }
    const { plan, diagnostics } = await loadConfig(join(directory, main), { env: { PORT: '9000', SECRET: 'sixteen-characters' } })
    for (const { code } of diagnostics) seen.add(code)
    const text = formatDiagnostics(diagnostics, { color: false })
      .replaceAll(`${directory}/`, '')
      .replace(/[^\s]*\/evener-[^/]+\//g, '')
    const actual = `${text === '' ? '' : `${text}\n`}${plan === undefined ? '' : `${JSON.stringify({ ...plan, warnings: plan.warnings.length }, null, 1).replaceAll(`${directory}/`, '')}\n`}`
    const expected = sections.find((section) => section.startsWith('expected'))?.slice('expected\n'.length) ?? ''
    if (process.env.UPDATE_GOLDEN === '1' || expected === '') {
      writeFileSync(file, [config, ...extra.map((section) => `──── ${section}`), `──── expected\n${actual}`].join(''))
      return
    }
    assert.equal(actual, expected)
  })
}

test('a file that is not there is a diagnostic like any other', async () => {
  const { plan, diagnostics } = await loadConfig('/nonexistent/evener.yaml', { env: {} })
  assert.equal(plan, undefined)
  assert.deepEqual(
    diagnostics.map(({ code, message }) => [code, message]),
    [['CONFIG_NOT_READABLE', 'cannot be read: there is no such file']],
  )
  seen.add('CONFIG_NOT_READABLE')
})

test('every diagnostic code is shown by some case', () => {
  assert.deepEqual(
    Object.keys(CONFIG_CODES).filter((code) => !seen.has(code)),
    [],
  )
})

test('a plan survives structuredClone and JSON', async () => {
  const { plan } = planFromInput({
    listeners: { web: { bind: ':0', http: { routes: [{ pool: 'a' }] } } },
    pools: { a: { servers: ['127.0.0.1:1'] } },
  })
  assert.deepEqual(structuredClone(plan), plan)
  assert.deepEqual(JSON.parse(JSON.stringify(plan)), JSON.parse(JSON.stringify(structuredClone(plan))))
})

test('whatever a file has in it, loading it ends in diagnostics and never throws', async (t) => {
  const directory = temporaryFolder(t)
  const base = readFileSync(join(folder, cases.find((name) => name.startsWith('everything')) as string), 'utf8').split(/^──── /m)[0]
  let state = 12345
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state % below
  }
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ':',
    '- ',
    '\n',
    '\t',
    '"',
    "'",
    '&a',
    '*a',
    '!!',
    '|',
    '>',
    '~',
    'null',
    '${',
    '\0',
    '\ufeff',
    '0x',
    '1e999',
    '<<: *a',
    '---\n',
    '%',
    '@',
    '`',
  ]
  for (let round = 0; round < 300; round++) {
    let text = base
    for (let i = random(6); i >= 0; i--) {
      const at = random(text.length)
      text = text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(5))
    }
    const file = join(directory, 'mutant.yaml')
    writeFileSync(file, text)
    const { plan, diagnostics } = await loadConfig(file, { env: {} })
    assert.ok(plan !== undefined || diagnostics.some(({ severity }) => severity === 'error'))
  }
})
