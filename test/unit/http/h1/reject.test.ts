import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { REJECT, REJECTIONS } from '../../../../src/http/index.ts'

it('numbers every reason and describes it', () => {
  for (const [key, number] of Object.entries(REJECT)) {
    const { name, status, sentence } = REJECTIONS[number]
    assert.equal(name, key.toLowerCase().replaceAll('_', '-'))
    assert.ok(status >= 400 && status < 600)
    assert.match(sentence, /^[a-z].*[^.]$/)
  }
  assert.equal(REJECTIONS.length, Object.keys(REJECT).length + 1)
})

it('is documented with the same names, statuses and sections, and nothing else is', () => {
  const page = readFileSync(new URL('../../../../docs/http-strictness.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z0-9-]+)` \| (\d+) \| ([^|]+) \|/gm)].map(
    ([, name, status, section]) => `${name} ${status} ${section}`,
  )
  const rejections = REJECTIONS.slice(1).map(({ name, status, section }) => `${name} ${status} ${section}`)
  assert.deepEqual(rows.sort(), rejections.sort())
})
