import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CodePlaces } from '../../../src/config/code-places.ts'
import { Source } from '../../../src/config/source.ts'
import { seededRandom } from '../../support/random.ts'

/** The text that is marked for the value at a path. */
function marked(text: string, ...path: (string | number)[]): string | undefined {
  const span = new CodePlaces(new Source('evener.ts', text)).span(path, 'value')
  return span?.source.slice(span.column - 1, span.column - 1 + span.length)
}

test('a value is found in the exported literal, whatever stands around it', () => {
  for (const text of [
    'export default { a: { b: [1, 22] } }',
    'export default defineConfig({ a: { b: [1, 22] } })',
    'export default ({ a: { b: [1, 22] } }) satisfies Config',
    'const config: Map<string, () => void> = { "a": { b: [1, 22] } } as const\nexport default config',
    'const b = [1, 22]\nconst a = { b }\nexport default { a }',
    '/* } */ const c = /[/}]/ // }\nconst d = `}${ { x: `{` }.x }`\nexport default { d, a: { b: [1, 22] } }',
  ])
    assert.equal(marked(text, 'a', 'b', 1), '22', text)
})

test('what is computed is marked as a whole', () => {
  assert.equal(marked('export default { a: make({ b: 1 }) }', 'a', 'b'), 'make({ b: 1 })')
  assert.equal(marked('export default { a: { b: 1 }.b }', 'a', 'b'), '{ b: 1 }.b')
  assert.equal(marked('export default { a: isFine ? { b: 1 } : { b: 2 } }', 'a', 'b'), 'isFine ? { b: 1 } : { b: 2 }')
  assert.equal(marked('export default { a: [...others, 2] }', 'a', 0), 'a')
})

test('no place is told where another one may be meant', () => {
  assert.equal(marked('export default make({ a: 1 })', 'a'), undefined)
  assert.equal(marked('export default { a: 1, ...others }', 'a'), '{ a: 1, ...others }')
  assert.equal(marked('export default { a: "unclosed }', 'a'), undefined)
  assert.equal(marked('module.exports = { a: 1 }', 'a'), undefined)
})

test('whatever a file has in it, looking for places ends and never throws', () => {
  const text = readFileSync(join(import.meta.dirname, '../../golden/config/typescript-with-errors-everywhere.ts.txt'), 'utf8')
  const random = seededRandom(7)
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
    '`',
    '${',
    "'",
    '"',
    '/',
    '/*',
    '//',
    '\\',
    '...',
    ',',
    ':',
    '=',
    'const ',
    'export default ',
    '\n',
  ]
  for (let round = 0; round < 500; round++) {
    let mutant = text
    for (let count = 0; count < 4; count++) {
      const at = Math.floor(random() * mutant.length)
      mutant = mutant.slice(0, at) + pieces[Math.floor(random() * pieces.length)] + mutant.slice(at + Math.floor(random() * 4))
    }
    const span = new CodePlaces(new Source('evener.ts', mutant)).span(['pools', 'app', 'servers', 1, 'weight'], 'value')
    assert.ok(span === undefined || span.line >= 1)
  }
  assert.equal(marked(`export default ${'['.repeat(10_000)}1${']'.repeat(10_000)}`, 0, 0)?.[0], '[')
})
