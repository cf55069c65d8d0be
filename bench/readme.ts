/**
 * npm run bench -- readme [--check]
 *
 * Writes the measured table of README.md from the newest file in bench/results; with --check, fails where it differs.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatResults } from './http/markdown.ts'

const README = join(import.meta.dirname, '../README.md')
const FRAME = /(<!-- measured: [^>]*-->\n)[\s\S]*?(<!-- \/measured -->)/

const name = globSync('http-*.json', { cwd: join(import.meta.dirname, 'results') })
  .sort()
  .at(-1)
if (name === undefined) {
  console.error('bench readme: there is no result yet; npm run bench -- http --json "" makes one')
  process.exit(1)
}
const table = formatResults(JSON.parse(readFileSync(join(import.meta.dirname, 'results', name), 'utf8')), name)
const before = readFileSync(README, 'utf8')
const after = before.replace(FRAME, (_, open: string, close: string) => `${open}${table}${close}`)
if (!process.argv.includes('--check')) writeFileSync(README, after)
else if (after !== before) {
  console.error('bench readme: README.md does not show the newest result; npm run bench -- readme writes it')
  process.exit(1)
}
