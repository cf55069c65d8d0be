import { Command } from 'commander'
import { formatDiagnostics, loadConfig } from '../config/index.ts'

export function checkCommand(): Command {
  return new Command('check')
    .description('read a configuration and report every error in it; exits with 1 if there are any')
    .requiredOption('-c, --config <file>', 'configuration file')
    .option('--json', 'print the diagnostics as JSON')
    .action(async (flags: { config: string; json?: boolean }) => {
      const { plan, diagnostics } = await loadConfig(flags.config, { env: process.env })
      if (flags.json) process.stdout.write(`${JSON.stringify(diagnostics, null, 2)}\n`)
      else if (diagnostics.length > 0) process.stdout.write(`${formatDiagnostics(diagnostics, { color: process.stdout.isTTY === true })}\n`)
      if (plan === undefined) process.exitCode = 1
      else if (!flags.json) process.stdout.write(`${flags.config}: valid\n`)
    })
}
