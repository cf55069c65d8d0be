import { Command, InvalidArgumentError } from 'commander'
import { AgentServer } from '../control/index.ts'
import { parseAddress, type SocketAddress } from '../core/index.ts'

interface Flags {
  readonly text: string
  readonly json: string
  readonly maxConnections?: number
  readonly stateFile?: string
}

export function agentCommand(): Command {
  return new Command('agent')
    .description('tell balancers how this machine is: CPU, memory, connections and state, until it is interrupted')
    .option('--text <address>', 'where a line is served, as HAProxy\'s agent-check asks for it; "none" for nowhere', checkAddress, ':9901')
    .option('--json <address>', 'where a JSON document is served over HTTP; "none" for nowhere', checkAddress, ':9902')
    .option('--max-connections <count>', 'TCP connections that the machine can take (default: they are no limit)', readCount)
    .option('--state-file <file>', 'file whose first line says the state: drain, maint, down, 50%, maxconn:20, with "# why" behind it')
    .action(run)
}

async function run(flags: Flags): Promise<void> {
  const [text, http] = [addressOf(flags.text), addressOf(flags.json)]
  if (text === undefined && http === undefined) throw new Error('with --text none and --json none there is nothing to serve.')
  const warn = (message: string): void => void process.stderr.write(`evener: ${message}\n`)
  const agent = await AgentServer.start({ text, http, maxConnections: flags.maxConnections ?? 0, stateFile: flags.stateFile, warn })
  for (const where of agent.addresses) process.stdout.write(`${where}\n`)
  const end = (): void => {
    agent.close()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, end)
}

function addressOf(text: string): SocketAddress | undefined {
  return text === 'none' ? undefined : parseAddress(text)
}

function checkAddress(text: string): string {
  try {
    addressOf(text)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
  return text
}

function readCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('a whole number above 0 is expected.')
  return Number(text)
}
