import { Command } from 'commander'
import { type AdminFlags, adminOptions, clientOf } from './admin-options.ts'

export function reloadCommand(): Command {
  return adminOptions(new Command('reload').description('load the configuration again; an invalid one changes nothing')).action(
    async (flags: AdminFlags) => {
      const answer = await clientOf(flags).post<{ generation: number; warnings: readonly string[] }>('/api/v1/reload')
      for (const warning of answer.warnings) process.stdout.write(`${warning}\n`)
      process.stdout.write(`reloaded: generation ${answer.generation} is in force\n`)
    },
  )
}
