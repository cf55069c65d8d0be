import { Command } from 'commander'
import { formatDiagnostics } from '../config/index.ts'
import { AdminError } from './admin-client.ts'
import { type AdminFlags, adminOptions, clientOf } from './admin-options.ts'

export function reloadCommand(): Command {
  return adminOptions(new Command('reload').description('load the configuration again; an invalid one changes nothing')).action(
    async (flags: AdminFlags) => {
      const answer = await clientOf(flags).post<{ generation: number; warnings: readonly string[] }>('/api/v1/reload').catch(withPlaces)
      for (const warning of answer.warnings) process.stdout.write(`${warning}\n`)
      process.stdout.write(`reloaded: generation ${answer.generation} is in force\n`)
    },
  )
}

/** Shows what is wrong as `evener check` does. */
function withPlaces(error: unknown): never {
  if (!(error instanceof AdminError) || error.diagnostics.length === 0) throw error
  process.stderr.write(`${formatDiagnostics(error.diagnostics, { color: process.stderr.isTTY === true })}\n`)
  throw new AdminError('the new configuration is invalid and changed nothing.')
}
