import { Command, InvalidArgumentError } from 'commander'
import { planFromInput } from '../config/index.ts'
import { parseAddress } from '../core/index.ts'
import { serve } from './serve.ts'

interface ProxyFlags {
  readonly from: string[]
  readonly to: string[]
  readonly algorithm: string
  readonly admin?: string
  readonly workers?: string
  readonly quiet?: boolean
}

/** A balancer from the command line alone. */
export function proxyCommand(): Command {
  return new Command('proxy')
    .description('balance HTTP from one address to servers, without a configuration file')
    .requiredOption('--from <address...>', 'where to listen: ":8080", "127.0.0.1:8080", "[::1]:8080"', collect)
    .requiredOption('--to <address...>', 'a server; may be given several times', collect)
    .option('--algorithm <name>', 'how a server is chosen', 'round-robin')
    .option('--admin <address>', 'admin endpoint (none without this)')
    .option('--workers <count>', 'worker threads, one per core without this')
    .option('--quiet', 'print no line for each request')
    .action(async (flags: ProxyFlags) => {
      const input = {
        ...(flags.workers === undefined ? {} : { workers: Number(flags.workers) }),
        ...(flags.admin === undefined ? {} : { admin: { bind: flags.admin } }),
        ...(flags.quiet ? {} : { accessLog: { path: 'stdout', format: '{client} {method} {uri} {status} {pool}/{server} {duration}ms' } }),
        listeners: { proxy: { bind: flags.from, http: { routes: [{ pool: 'servers' }] } } },
        pools: { servers: { algorithm: flags.algorithm, servers: flags.to } },
      }
      await serve({ file: null, load: async () => planFromInput(input) })
    })
}

/** Addresses like ":3001" mean this machine. */
function collect(text: string, previous: string[] = []): string[] {
  const address = /^:?\d+$/.test(text) ? text.replace(/^:?/, '127.0.0.1:') : text
  try {
    parseAddress(address)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
  return [...previous, address]
}
