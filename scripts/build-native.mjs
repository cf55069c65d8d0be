// Compiles the addon into build/Release/evener.node. Where that cannot be done (another system, no compiler) it prints one line
// that says why and succeeds: the portable engine runs without the addon. With --require, failing is an error.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const isRequired = process.argv.includes('--require')

function giveUp(why) {
  console.log(`evener: native addon not built, the portable engine will be used: ${why}`)
  process.exit(isRequired ? 1 : 0)
}

/** The pinned Node of a development checkout; undefined where Evener is installed from the registry. */
function pinnedNode() {
  for (const arch of ['x64', 'arm64']) {
    const directory = join(root, 'node_modules', `node-linux-${arch}`)
    if (arch === process.arch && existsSync(join(directory, 'include/node/node_api.h'))) return directory
  }
  return undefined
}

/** Our own node-gyp, else the one that npm brings along and names in its scripts' environment. */
function nodeGyp() {
  try {
    return createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')
  } catch {
    const fromNpm = process.env.npm_config_node_gyp
    return fromNpm !== undefined && existsSync(fromNpm) ? fromNpm : undefined
  }
}

/** The line of the output that says what is wrong, the most telling kind first. */
function firstError(output) {
  const lines = output.split('\n')
  const telling = [/FileNotFoundError: .*No such file or directory/, /\berror:/i, /command not found|: not found/, /ERR! stack Error/]
  const line = telling.map((kind) => lines.find((one) => kind.test(one))).find((one) => one !== undefined)
  const plain = (line ?? lines.findLast((one) => one.trim() !== '') ?? 'node-gyp failed').replace(/^gyp ERR! (stack )?/, '').trim()
  return plain
    .replace(/^FileNotFoundError: \[Errno 2\] No such file or directory: '(.*)'$/, 'there is no compiler $1')
    .replace(/^Error: /, '')
}

if (process.platform !== 'linux') giveUp(`it is for Linux, this is ${process.platform}`)
if (!existsSync(join(root, 'binding.gyp'))) giveUp('its sources are not here')
const gyp = nodeGyp()
if (gyp === undefined) giveUp('node-gyp is not installed')

const pinned = pinnedNode()
const node = pinned === undefined ? process.execPath : join(pinned, 'bin/node')
const environment = { ...process.env }
// The headers must be those of the Node that will load the addon, also where an .npmrc names others.
if (pinned !== undefined) environment.npm_config_nodedir = pinned
const verb = existsSync(join(root, 'build/config.gypi')) ? ['configure', 'build'] : ['rebuild']
const build = spawnSync(existsSync(node) ? node : process.execPath, [gyp, ...verb, '--release'], {
  cwd: root,
  env: environment,
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'pipe'],
})
const output = `${build.stdout ?? ''}${build.stderr ?? ''}`
if (build.status !== 0) {
  if (isRequired || process.env.CI !== undefined) process.stderr.write(output)
  giveUp(firstError(output))
}
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
console.log(`evener ${version}: native addon built`)
