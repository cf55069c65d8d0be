import { Command, InvalidArgumentError } from 'commander'
import { AdminError } from './admin-client.ts'
import { type AdminFlags, adminOptions, clientOf } from './admin-options.ts'

/** Changes of servers while Evener runs; all hold in every worker at once. */
export function serverCommand(): Command {
  const command = new Command('server').description('add, remove and change servers of the running Evener')
  for (const [name, description] of [
    ['drain', 'no new requests; running ones finish'],
    ['ready', 'take part again'],
    ['maintenance', 'no requests at all'],
  ] as const) {
    command.addCommand(
      adminOptions(new Command(name).description(description).argument('<pool/server>')).action(
        async (target: string, flags: AdminFlags) => {
          await patchServer(target, { admin: name }, flags)
          process.stdout.write(`${target}: ${name}\n`)
        },
      ),
    )
  }
  return command.addCommand(weightCommand()).addCommand(addCommand()).addCommand(removeCommand())
}

function weightCommand(): Command {
  return adminOptions(
    new Command('weight')
      .description('set the weight; 0 takes no new requests')
      .argument('<pool/server>')
      .argument('<weight>', '0 to 65535', readWeight),
  ).action(async (target: string, weight: number, flags: AdminFlags) => {
    await patchServer(target, { weight }, flags)
    process.stdout.write(`${target}: weight ${weight}\n`)
  })
}

interface AddFlags extends AdminFlags {
  readonly weight?: number
  readonly priority?: number
  readonly drain?: boolean
}

function addCommand(): Command {
  return adminOptions(
    new Command('add')
      .description('add a server to a pool')
      .argument('<pool[/server]>', 'the pool, with a name for the server; its address without one')
      .argument('<address>', '"10.0.0.13:8080", "[2001:db8::7]:8080", "unix:/run/app.sock"')
      .option('--weight <weight>', '0 to 256', readWeight)
      .option('--priority <priority>', '0 first', readWeight)
      .option('--drain', 'begin without requests'),
  ).action(async (target: string, address: string, flags: AddFlags) => {
    const slash = target.indexOf('/')
    const [pool, name] = slash === -1 ? [target, undefined] : [target.slice(0, slash), target.slice(slash + 1)]
    const server = { name, address, weight: flags.weight, priority: flags.priority, admin: flags.drain ? 'drain' : undefined }
    const added = await clientOf(flags).post<{ name: string; health: string }>(`/api/v1/pools/${encodeURIComponent(pool)}/servers`, server)
    process.stdout.write(`${pool}/${added.name}: added, ${added.health}\n`)
  })
}

function removeCommand(): Command {
  return adminOptions(
    new Command('remove').description('take a server out of its pool; running requests finish').argument('<pool/server>'),
  ).action(async (target: string, flags: AdminFlags) => {
    await clientOf(flags).delete(pathOf(target))
    process.stdout.write(`${target}: removed\n`)
  })
}

function patchServer(target: string, change: object, flags: AdminFlags): Promise<unknown> {
  return clientOf(flags).patch(pathOf(target), change)
}

function pathOf(target: string): string {
  const slash = target.indexOf('/')
  if (slash <= 0 || slash === target.length - 1) throw new AdminError(`"${target}" names no server: write POOL/SERVER, as in "app/a"`)
  return `/api/v1/pools/${encodeURIComponent(target.slice(0, slash))}/servers/${encodeURIComponent(target.slice(slash + 1))}`
}

function readWeight(text: string): number {
  const weight = Number(text)
  if (!/^\d{1,5}$/.test(text) || weight > 65535) throw new InvalidArgumentError('a whole number from 0 to 65535 is expected.')
  return weight
}
