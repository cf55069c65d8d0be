/**
 * cli: the commands. Everything but `run`, `proxy` and `demo` (which start the control thread in this process), `realserver` and `agent` (which
 * concern the machine that they run on) talks to a running Evener through its admin API, or only reads a configuration.
 */
import { Command, CommanderError } from 'commander'
import { agentCommand } from './agent.ts'
import { certificatesCommand } from './certificates.ts'
import { checkCommand } from './check.ts'
import { demoCommand } from './demo.ts'
import { explainCommand } from './explain.ts'
import { packetCommand } from './packet.ts'
import { proxyCommand } from './proxy.ts'
import { realServerCommand } from './realserver.ts'
import { reloadCommand } from './reload.ts'
import { runCommand } from './run.ts'
import { schemaCommand } from './schema.ts'
import { serverCommand } from './server.ts'
import { sessionsCommand } from './sessions.ts'
import { statusCommand } from './status.ts'
import { topCommand } from './top/index.ts'
import { readVersion } from './version.ts'

/** Exit codes: 0 done; 1 the command failed or the configuration has errors; 2 the command line is wrong. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = buildProgram()
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return typeof process.exitCode === 'number' ? process.exitCode : 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    process.stderr.write(`evener: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

function buildProgram(): Command {
  const program = new Command('evener')
    .description('A load balancer for every layer: a pool of servers, and the ways to bring a client to one of them.')
    .version(readVersion(), '-v, --version')
    .exitOverride()
    .showHelpAfterError('(evener --help lists the commands)')
    .configureHelp({ sortSubcommands: false })
  for (const command of [
    runCommand(),
    checkCommand(),
    proxyCommand(),
    demoCommand(),
    statusCommand(),
    topCommand(),
    serverCommand(),
    sessionsCommand(),
    reloadCommand(),
    certificatesCommand(),
    packetCommand(),
    realServerCommand(),
    agentCommand(),
    explainCommand(),
    schemaCommand(),
  ]) {
    program.addCommand(command.exitOverride().showHelpAfterError(`(evener ${command.name()} --help shows how)`))
  }
  return program
}
