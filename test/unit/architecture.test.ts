import assert from 'node:assert/strict'
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../..')
const MAX_LINES = 500
const MANY_LINES = 300

interface Import {
  readonly file: string
  readonly line: number
  readonly target: string
}

/** Every file of a room; src/index.ts, which is what a configuration in TypeScript imports, belongs to none. */
const sources = globSync('src/*/**/*.ts', { cwd: root }).sort()
const imports = sources.flatMap(readImports)
const permissions = readTable(readFileSync(join(root, 'docs/architecture.md'), 'utf8'))

test('src/ itself holds nothing but the entry for configurations in TypeScript', () => {
  assert.deepEqual(globSync('src/*.ts', { cwd: root }), ['src/index.ts'])
  assert.deepEqual(
    readImports('src/index.ts').map(({ target }) => target),
    ['src/config/index.ts'],
  )
})

test('every room in src/ has a row in the import table, and its index.ts tells its purpose', () => {
  for (const room of new Set(sources.map(roomOf))) {
    assert.ok(permissions.has(room), `src/${room} is not in the table of docs/architecture.md`)
    const folder = readdirSync(join(root, 'src', room))
    if (folder.includes('index.ts'))
      assert.match(readFileSync(join(root, 'src', room, 'index.ts'), 'utf8'), /^\/\*\*/, `src/${room}/index.ts opens with its purpose`)
  }
})

test('the table allows no circle of rooms', () => {
  for (const room of permissions.keys()) assert.ok(!reach(room, new Set()).has(room), `${room} may import itself by a detour`)
})

test('rooms import only what the table allows', () => {
  const forbidden = imports.filter(
    ({ file, target }) =>
      roomOf(file) !== roomOf(target) && !permissions.get(roomOf(file))?.has(roomOf(target)) && !isConfigOfRoom(file, target),
  )
  assert.deepEqual(forbidden.map(describe), [])
})

test('imports from another room go through its index.ts, or that of a folder in it', () => {
  const detours = imports.filter(({ file, target }) => {
    return roomOf(file) !== roomOf(target) && !/^src\/[^/]+\/([^/]+\/)?index\.ts$/.test(target) && !isConfigOfRoom(file, target)
  })
  assert.deepEqual(detours.map(describe), [])
})

test('only the kernel room loads the native addon', () => {
  const loaders = sources.filter(
    (file) => roomOf(file) !== 'kernel' && /['"`][^'"`]*\.node['"`]/.test(readFileSync(join(root, file), 'utf8')),
  )
  assert.deepEqual(loaders, [])
})

test(`no file is longer than ${MAX_LINES} lines`, (t) => {
  const written = globSync('{src,test,bench,scripts,bin,native,bpf}/**/*.{ts,mjs,js,c,h}', { cwd: root }).filter(
    (file) => !file.includes('.generated.'),
  )
  const lengths = written.map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }))
  for (const { file, lines } of lengths) if (lines > MANY_LINES && lines <= MAX_LINES) t.diagnostic(`${file} has ${lines} lines`)
  assert.deepEqual(
    lengths.filter(({ lines }) => lines > MAX_LINES).map(({ file, lines }) => `${file}: ${lines}`),
    [],
  )
})

test('the reader of this test finds every form of import', () => {
  const text =
    "import a from './a.ts'\nimport type { B } from '../b/index.ts'\nexport { c } from './c.ts'\nimport {\n  d,\n} from './d.ts'\nconst e = await import('./e.ts')\nimport 'node:fs'\n"
  assert.deepEqual(
    parseImports('src/x/y.ts', text).map(({ target, line }) => [target, line]),
    [
      ['src/x/a.ts', 1],
      ['src/b/index.ts', 2],
      ['src/x/c.ts', 3],
      ['src/x/d.ts', 6],
      ['src/x/e.ts', 7],
    ],
  )
})

/** The second table of the document: rows of `room`, `room` | `room`, `room`. */
function readTable(text: string): Map<string, Set<string>> {
  const rows = text.slice(text.indexOf('| room | may import |')).split('\n').slice(2)
  const table = new Map<string, Set<string>>()
  const names = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name)
  for (const row of rows.slice(
    0,
    rows.findIndex((line) => !line.startsWith('|')),
  )) {
    const [, rooms, allowed] = row.split('|')
    for (const room of names(rooms)) table.set(room, new Set(names(allowed)))
    if (allowed.trim() === 'everything') for (const room of names(rooms)) table.set(room, new Set(['*']))
  }
  for (const [room, allowed] of table)
    if (allowed.has('*')) table.set(room, new Set([...table.keys()].filter((other) => other !== room && other !== 'cli')))
  return table
}

function readImports(file: string): Import[] {
  return parseImports(file, readFileSync(join(root, file), 'utf8'))
}

function parseImports(file: string, text: string): Import[] {
  const found: Import[] = []
  for (const match of text.matchAll(/(?:\b(?:import|export)\s+[^'";]*?from\s*|\bimport\s*\(?\s*)'(\.[^']+)'/g)) {
    const line = text.slice(0, match.index + match[0].length).split('\n').length
    found.push({ file, line, target: relative(root, join(root, dirname(file), match[1])) })
  }
  return found
}

function roomOf(file: string): string {
  return file.split('/')[1]
}

/** Options are declared where they are used: a room's config.ts is read by `config` and by the config.ts of other rooms. */
function isConfigOfRoom(file: string, target: string): boolean {
  return /^src\/\w+\/config\.ts$/.test(target) && (roomOf(file) === 'config' || /^src\/\w+\/config\.ts$/.test(file))
}

function reach(room: string, seen: Set<string>): Set<string> {
  for (const next of permissions.get(room) ?? []) {
    if (seen.has(next)) continue
    seen.add(next)
    reach(next, seen)
  }
  return seen
}

function describe({ file, line, target }: Import): string {
  return `${file}:${line} imports ${target}`
}
