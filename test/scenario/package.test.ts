/** What `npm pack` makes is what users install: it has to run without the checkout and without its tools. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { temporaryFolder } from '../support/cleanup.ts'
import { request } from '../support/client.ts'
import { serving, startFile } from '../support/evener.ts'
import { origin } from '../support/origin.ts'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)
// The Node that runs this test first, so that the installed command finds one that is new enough.
const env = { ...process.env, PATH: dirname(process.execPath) + delimiter + process.env.PATH, NODE_COMPILE_CACHE: undefined }

test('the packed package installs into an empty folder and balances', async (t) => {
  const folder = temporaryFolder(t)
  await npm(root, 'pack', '--pack-destination', folder)
  const [archive] = readdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  await npm(folder, 'install', '--omit=dev', join(folder, archive))

  const installed = join(folder, 'node_modules', 'evener')
  for (const absent of ['src', 'test', 'bench', 'runtime']) assert.ok(!existsSync(join(installed, absent)), `${absent} is in the package`)
  assert.ok(!existsSync(join(folder, 'node_modules', 'typescript')), 'development tools are installed with it')
  const { stdout } = await run(join(folder, 'node_modules', '.bin', 'evener'), ['--version'], { env })
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
  assert.ok(existsSync(join(installed, 'node_modules', '.cache', 'evener')), 'compiled code is kept for the next start')

  const server = await origin(t, 'from the origin')
  const configFile = join(folder, 'edge.ts')
  writeFileSync(
    configFile,
    `import { defineConfig } from 'evener'
const address: string = '${server.address}'
export default defineConfig({
  admin: { bind: '127.0.0.1:0' },
  listeners: { web: { bind: '127.0.0.1:0', http: { routes: [{ pool: 'app' }] } } },
  pools: { app: { servers: [address] } },
})
`,
  )
  const evener = await serving(startFile(t, configFile, { binary: join(installed, 'bin', 'evener.js') }))
  assert.equal((await request(t, { port: await evener.port('web') }, '/')).body.toString(), 'from the origin')
  evener.process.kill('SIGTERM')
  assert.equal(await evener.ended(), 0)
})

/** npm under this Node; its cache serves whatever the checkout itself was installed from. */
async function npm(cwd: string, ...rest: string[]): Promise<void> {
  await run('npm', [...rest, '--prefer-offline', '--no-audit', '--no-fund'], { cwd, env, maxBuffer: 2 ** 26 })
}
