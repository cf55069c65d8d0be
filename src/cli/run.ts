import { Command } from 'commander'
import { loadConfig } from '../config/index.ts'
import { serve } from './serve.ts'

export function runCommand(): Command {
  return new Command('run')
    .description('run the balancer with a configuration (.yaml, .json, .ts)')
    .requiredOption('-c, --config <file>', 'configuration file')
    .action(async (flags: { config: string }) => {
      await serve({ file: flags.config, load: () => loadConfig(flags.config, { env: process.env }) })
    })
}
