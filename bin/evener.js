#!/usr/bin/env node
/**
 * The command. An old Node hands over to the pinned one if it is there, else says what is needed. A checkout
 * runs from source, an installed package from dist/.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isNodeSufficient, MINIMUM_NODE, pinnedNode } from './node-version.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

if (isNodeSufficient(process.versions.node)) await start()
else handOver()

async function start() {
  cacheCompiledCode()
  const source = join(root, 'src', 'cli', 'index.ts')
  const entry = existsSync(source) ? source : join(root, 'dist', 'cli', 'index.js')
  const { main } = await import(pathToFileURL(entry).href)
  process.exitCode = await main(process.argv.slice(2))
}

/**
 * Saves more than half of the time that starting takes. The folder is beside the code: whoever may write there could change the
 * code as well. Where it cannot be written nothing is cached. The variable is how worker threads learn of it.
 */
function cacheCompiledCode() {
  if (process.env.NODE_COMPILE_CACHE !== undefined || process.env.NODE_DISABLE_COMPILE_CACHE !== undefined) return
  const folder = join(root, 'node_modules', '.cache', 'evener')
  if (module.enableCompileCache(folder).status === module.constants.compileCacheStatus.ENABLED) process.env.NODE_COMPILE_CACHE = folder
}

function handOver() {
  const node = pinnedNode(root)
  if (node === undefined) {
    console.error(`evener needs Node ${MINIMUM_NODE} or newer; this is ${process.versions.node} (${process.execPath})`)
    process.exit(1)
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to the child as well; anybody else sends it to this process alone.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR1']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal ?? 'SIGTERM'] ?? 0)))
}
