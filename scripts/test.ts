/**
 * `npm test`: types, lint, documents, then every test. What cannot run here is left out and named with its reason; with CI=true,
 * as root on Debian, missing packages are installed first and leaving out a test for want of one is a failure.
 *
 *   npm test                      everything
 *   npm test -- test/unit/http    the tests beneath a path, without the checks before them
 */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from 'node:test'
import { canInstallPackages, installPackages, isPresent, TEST_PACKAGES } from './test/packages.ts'
import { report } from './test/report.ts'

const FOLDERS = ['unit', 'conformance', 'golden', 'packet', 'scenario', 'netns', 'fuzz']
/** Two at a time: many tests bring up several processes of their own. */
const CONCURRENCY = 2
const FILE_TIMEOUT_MS = 900_000

const root = dirname(import.meta.dirname)
// Every test file is a process that would compile all that it imports again.
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'evener')
const isStrict = process.env.CI === 'true' && canInstallPackages()
const paths = process.argv.slice(2)

const isSound = paths.length > 0 || runChecks()
const missing = findMissing()
const isPassed = await runTests(paths.length > 0 ? paths : FOLDERS.map((folder) => `test/${folder}`))
process.exit(isSound && isPassed ? 0 : 1)

/** Each check runs even if the one before failed, so that one run tells everything. */
function runChecks(): boolean {
  const checks: [name: string, file: string, ...rest: string[]][] = [
    ['types', 'node_modules/typescript/bin/tsc', '-p', '.'],
    ['lint', 'node_modules/@biomejs/biome/bin/biome', 'check', '--colors=off', '--max-diagnostics=50', '.'],
    ['documents', 'scripts/docs.ts', '--check'],
  ]
  let isGood = true
  for (const [name, file, ...rest] of checks) {
    const { status } = spawnSync(process.execPath, [file, ...rest], { cwd: root, stdio: 'inherit' })
    console.log(`${status === 0 ? '✔' : '✖'} ${name}`)
    isGood &&= status === 0
  }
  return isGood
}

function findMissing() {
  const absent = TEST_PACKAGES.filter((wanted) => !isPresent(wanted))
  if (absent.length === 0 || !isStrict) return absent
  console.log(`installing ${absent.map((wanted) => wanted.name).join(', ')}`)
  return installPackages(absent)
}

async function runTests(folders: string[]): Promise<boolean> {
  const files = folders.flatMap((path) => (path.endsWith('.ts') ? [join(root, path)] : findTests(path))).sort()
  const stream = run({ files, concurrency: CONCURRENCY, timeout: FILE_TIMEOUT_MS, cwd: root })
  const { passed, failed, skips } = await report(stream, root, console.log)
  const skipped = [...skips.values()].reduce((sum, count) => sum + count, 0)
  explainSkips(skips)
  // "needs …" is the reason of a test that lacks something this machine could have; see test/support/needs.ts.
  const lacking = isStrict ? [...skips.keys()].filter((reason) => reason.startsWith('needs ')) : []
  if (lacking.length > 0) console.log(`\nwith CI=true each of these must be there: ${lacking.join('; ')}`)
  if (files.length === 0) console.log('\nno test file was found')
  console.log(`\n${passed} passed, ${failed + lacking.length} failed, ${skipped} skipped`)
  return failed + lacking.length === 0 && files.length > 0
}

function findTests(folder: string): string[] {
  return existsSync(join(root, folder)) ? globSync('**/*.test.ts', { cwd: join(root, folder) }).map((name) => join(root, folder, name)) : []
}

function explainSkips(skips: ReadonlyMap<string, number>): void {
  for (const [reason, count] of skips) console.log(`left out: ${count} ${count === 1 ? 'test' : 'tests'}, ${reason}`)
  for (const { name, why } of missing) console.log(`not here: Debian package ${name} (${why})`)
}
