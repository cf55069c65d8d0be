/**
 * npm run bench -- NAME [ARGUMENT…]
 *
 * Runs bench/NAME.ts; without a name, lists what there is.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'

const [name, ...rest] = process.argv.slice(2)
const file = join(import.meta.dirname, `${name}.ts`)
if (name === undefined || !/^[\w-]+$/.test(name) || name === 'main' || !existsSync(file)) {
  const names = globSync('*.ts', { cwd: import.meta.dirname }).map((one) => one.slice(0, -3))
  console.error(
    `npm run bench -- NAME [ARGUMENT…]   with NAME one of: ${names
      .filter((one) => one !== 'main')
      .sort()
      .join(', ')}`,
  )
  process.exit(2)
}
process.exitCode = spawnSync(process.execPath, [file, ...rest], { stdio: 'inherit' }).status ?? 1
