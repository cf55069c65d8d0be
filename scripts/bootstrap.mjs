/**
 * Makes a fresh clone ready and then runs one command with the project's own Node. It needs no dependency and
 * runs on any Node from 20 up:
 *
 *   node scripts/bootstrap.mjs FILE [ARGUMENT…]
 *
 *   node_modules missing or older than package-lock.json  → npm ci
 *   native addon missing or older than its sources        → scripts/build-native.mjs; a failure is reported and tolerated
 *   then                                                  → FILE under the pinned Node 24, or under this Node if it is new enough
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isNodeSufficient, MINIMUM_NODE, pinnedNode } from '../bin/node-version.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, 'node_modules', '.evener-installed')

installDependencies()
buildAddon()
run(process.argv.slice(2))

function installDependencies() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) ? readFileSync(stamp, 'utf8') === wanted : isInstalledByHand()) return writeStamp(wanted)
  console.error('evener: installing dependencies (npm ci)')
  const npm = process.env.npm_execpath
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  // npm's own Node may be older than some tool wants that only the pinned one runs: a screen of warnings for nothing.
  const result = spawnSync(command, [...first, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: 'inherit' })
  if (result.error) fail(`npm cannot be run: ${result.error.message}`)
  if (result.status !== 0) fail('npm ci failed; its messages above say why')
  writeStamp(wanted)
}

/** `npm ci` or `npm install` was run directly, after the lock file last changed. */
function isInstalledByHand() {
  const record = join(root, 'node_modules', '.package-lock.json')
  return existsSync(record) && statSync(record).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs
}

function writeStamp(wanted) {
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) writeFileSync(stamp, wanted)
}

function buildAddon() {
  const script = join(root, 'scripts', 'build-native.mjs')
  if (!existsSync(script) || !isAddonStale()) return
  spawnSync(process.execPath, [script], { cwd: root, stdio: 'inherit' })
}

function isAddonStale() {
  const folder = join(root, 'build', 'Release')
  const built = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.node')) : []
  if (built.length === 0) return true
  const age = Math.min(...built.map((name) => statSync(join(folder, name)).mtimeMs))
  const sources = readdirSync(join(root, 'native')).map((name) => join(root, 'native', name))
  return [join(root, 'binding.gyp'), ...sources].some((path) => existsSync(path) && statSync(path).mtimeMs > age)
}

function run([file, ...rest]) {
  const node = pinnedNode(root) ?? (isNodeSufficient(process.versions.node) ? process.execPath : undefined)
  if (file === undefined) fail('usage: node scripts/bootstrap.mjs FILE [ARGUMENT…]')
  if (node === undefined)
    fail(`Node ${MINIMUM_NODE} or newer is needed, and there is no pinned Node for ${process.platform} ${process.arch}`)
  const path = [join(root, 'node_modules', '.bin'), process.env.PATH].join(process.platform === 'win32' ? ';' : ':')
  const child = spawn(node, [file, ...rest], { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: path } })
  // A terminal sends Ctrl-C to the child as well; anybody else sends it to this process alone.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal ?? 'SIGTERM'] ?? 0)))
}

function fail(why) {
  console.error(`evener: ${why}`)
  process.exit(1)
}
