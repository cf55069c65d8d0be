import { Command, InvalidArgumentError, Option } from 'commander'
import { detachPacketPlane, type FlowInfo, type PacketStatus } from '../control/index.ts'
import { AdminError } from './admin-client.ts'
import { type AdminFlags, adminOptions, clientOf } from './admin-options.ts'
import { formatTable } from './table.ts'

type Flags = AdminFlags & { readonly json?: boolean }

export function packetCommand(): Command {
  const command = new Command('packet').description('look at what the kernel forwards for packet listeners')
  command.addCommand(asking('status', 'interfaces, servers and their flows').action(showStatus))
  command.addCommand(
    asking('flows', 'flows with their clients, servers and states')
      .option('--limit <count>', 'at most so many', readLimit, 1000)
      .action(showFlows),
  )
  command.addCommand(asking('stats', 'what became of packets, by verdict').action(showStats))
  command.addCommand(
    new Command('detach')
      .description('end forwarding that went on after Evener had ended: programs come off, flows are forgotten')
      .addOption(new Option('--pins <folder>', '"packet.pins" of the configuration').default('/sys/fs/bpf/evener'))
      .action(async ({ pins }: { pins: string }) => {
        for (const line of await detachPacketPlane(pins)) process.stdout.write(`${line}\n`)
      }),
  )
  return command
}

function asking(name: string, description: string): Command {
  return adminOptions(new Command(name).description(description)).option('--json', 'print the answer of the admin API')
}

async function showStatus(flags: Flags): Promise<void> {
  const answer = await clientOf(flags).get<PacketStatus>('/api/v1/packet')
  print(flags, answer, () =>
    [
      formatTable([['INTERFACE', 'XDP'], ...answer.interfaces.map(({ name, mode }) => [name, mode])]),
      '',
      formatTable([
        ['LISTENER', 'SERVER', 'ACTIVE', 'INACTIVE', 'NEW', 'FLOWS', 'PACKETS', 'BYTES'],
        ...answer.servers.map((load) => [
          load.service,
          load.server,
          load.active,
          load.inactive,
          load.young,
          load.flows,
          load.packets,
          load.bytes,
        ]),
      ]),
    ].join('\n'),
  )
}

async function showFlows(flags: Flags & { readonly limit: number }): Promise<void> {
  const answer = await clientOf(flags).get<{ readonly flows: readonly FlowInfo[] }>(`/api/v1/packet/flows?limit=${flags.limit}`)
  print(flags, answer, () =>
    formatTable([
      ['PROTOCOL', 'CLIENT', 'ADDRESS', 'LISTENER', 'SERVER', 'STATE'],
      ...answer.flows.map((flow) => [
        flow.protocol,
        endpoint(flow.client, flow.clientPort),
        endpoint(flow.address, flow.port),
        flow.service,
        flow.server,
        flow.state,
      ]),
    ]),
  )
}

async function showStats(flags: Flags): Promise<void> {
  const { counters } = await clientOf(flags).get<PacketStatus>('/api/v1/packet')
  print(flags, counters, () => formatTable([['VERDICT', 'PACKETS'], ...Object.entries(counters)]))
}

function print(flags: Flags, answer: unknown, format: () => string): void {
  process.stdout.write(`${flags.json === true ? JSON.stringify(answer, null, 2) : format()}\n`)
}

function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function readLimit(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('a limit is a whole number from 1 to 100000.')
  if (Number(text) > 100_000) throw new AdminError('at most 100000 flows are shown at once')
  return Number(text)
}
