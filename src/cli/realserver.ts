import { isIP } from 'node:net'
import { Command, InvalidArgumentError, Option } from 'commander'
import { openRealServer, undoRealServer } from '../control/index.ts'

interface Flags {
  readonly vip?: readonly string[]
  readonly mode?: 'dr' | 'tun'
  readonly interface?: string
  readonly guePort: number
  readonly state?: string
  readonly undo?: boolean
}

export function realServerCommand(): Command {
  return new Command('realserver')
    .description('make this machine a server behind forward: dr or tun, until it is interrupted')
    .option('--vip <address>', 'address that the balancers forward; may be given again', collect, [])
    .addOption(new Option('--mode <mode>', 'how packets come').choices(['dr', 'tun']))
    .option('--interface <name>', 'where they come in')
    .option('--gue-port <port>', 'UDP port of tunnels by GUE', readPort, 6080)
    .option('--state <file>', 'where it is kept what was changed (default: /run/evener/realserver-INTERFACE.json)')
    .option('--undo', 'undo what a run left that did not end in order')
    .action(run)
}

function run(flags: Flags): void {
  const interfaceName = flags.interface
  if (interfaceName === undefined) throw new Error('which interface do packets come in by? Give --interface NAME.')
  const statePath = flags.state ?? `/run/evener/realserver-${interfaceName}.json`
  if (flags.undo === true) {
    for (const line of undoRealServer(statePath)) process.stdout.write(`${line}\n`)
    return
  }
  if (flags.mode === undefined) throw new Error('how do packets come? Give --mode dr or --mode tun.')
  if (flags.vip === undefined || flags.vip.length === 0) throw new Error('which address do the balancers forward? Give --vip ADDRESS.')
  const server = openRealServer({ vips: flags.vip, mode: flags.mode, interfaceName, guePort: flags.guePort, statePath })
  for (const line of server.changes) process.stdout.write(`${line}\n`)
  process.stdout.write('all of it is undone when this is interrupted\n')
  const keepAlive = setInterval(() => {}, 1 << 30)
  const end = (): void => {
    clearInterval(keepAlive)
    server.close()
    process.stdout.write('undone\n')
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, end)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)
}

function collect(address: string, before: readonly string[]): string[] {
  if (isIP(address) === 0) throw new InvalidArgumentError('an IP address without a port is expected.')
  return [...before, address]
}

function readPort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65535)
    throw new InvalidArgumentError('a port is a number from 1 to 65535.')
  return Number(text)
}
