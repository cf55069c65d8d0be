import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { Substitution } from '../../../src/config/substitute.ts'
import { temporaryFolder } from '../../support/cleanup.ts'

const complaints = (substitution: Substitution): string[] => substitution.findings.map(({ complaint }) => complaint.message)

it('variables are filled in at any depth, in values and not in keys', () => {
  const substitution = new Substitution('evener.yaml', { HOST: 'a.test', 'b c': 'no' })
  const value = { list: [`x \${HOST} y \${HOST}`], '${HOST}': 1, plain: 'no $HOST here', number: 5 }
  assert.deepEqual(JSON.parse(JSON.stringify(substitution.apply(value))), {
    list: ['x a.test y a.test'],
    '${HOST}': 1,
    plain: 'no $HOST here',
    number: 5,
  })
  assert.deepEqual(complaints(substitution), [])
})

it('a default stands in for a variable that is not set or empty, as in a shell', () => {
  const substitution = new Substitution('evener.yaml', { EMPTY: '', SET: '1' })
  assert.equal(substitution.apply('${NOT:-a}${EMPTY:-b}${SET:-c}${NOT:-}'), 'ab1')
})

it('what is filled in is not looked at again, and $${ is a plain ${', () => {
  const substitution = new Substitution('evener.yaml', { A: '${B}', B: 'secret' })
  assert.equal(substitution.apply('${A} $${B}'), '${B} ${B}')
})

it('a file gives its text without the line break at its end, from beside the configuration', (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'token'), 'sixteen-letters\r\n')
  assert.equal(new Substitution(join(folder, 'evener.yaml'), {}).apply('${file:token}'), 'sixteen-letters')
})

it('each thing that is not there is told, with its place, and no value is shown', () => {
  const substitution = new Substitution('/nonexistent/evener.yaml', { A: 'secret' })
  substitution.apply({ token: '${NOT}', page: '${file:page.html}', odd: '${a b}', nested: '${A:-${B}}' })
  assert.deepEqual(complaints(substitution), [
    'the environment variable NOT is not set',
    'the file "page.html" cannot be read: there is no such file',
    '"${a b}" is no substitution',
    '"${A:-${B}" is no substitution',
  ])
  assert.deepEqual(
    substitution.findings.map(({ path }) => path),
    [['token'], ['page'], ['odd'], ['nested']],
  )
  assert.doesNotMatch(JSON.stringify(substitution.findings), /secret/)
})
