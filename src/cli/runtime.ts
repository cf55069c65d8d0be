import { Command, InvalidArgumentError } from 'commander'
import { AdminClient, AdminError, type AdminOptions } from './admin-client.ts'
import { adminOptions } from './admin-options.ts'
import { formatTable } from './table.ts'

interface AdminFlags {
  readonly admin: string
  readonly token?: string
  readonly json?: boolean
}

/** The answers of the admin API that the commands read; docs/admin-api.md has them whole. */
interface StatusAnswer {
  readonly version: string
  readonly engine: { readonly kind: string; readonly reason: string }
  readonly workers: number
  readonly uptimeMs: number
  readonly config: { readonly file: string | null; readonly generation: number; readonly loadedAt: string }
  readonly listeners: readonly {
    readonly name: string
    readonly addresses: readonly string[]
    readonly connections: number
    readonly requests: number
    readonly latencyMs: { readonly p50: number; readonly p99: number } | null
  }[]
  readonly pools: readonly PoolAnswer[]
}

interface PoolAnswer {
  readonly name: string
  readonly algorithm: string
  readonly servers: readonly {
    readonly name: string
    readonly address: string
    readonly health: string
    readonly admin: string
    readonly weight: number
    readonly priority: number
    readonly active: number
    readonly requests: number
    readonly failures: number
    readonly check: { readonly reason: string } | null
  }[]
}

export function statusCommand(): Command {
  return adminOptions(new Command('status').description('show listeners, pools and servers of the running Evener'))
    .option('--json', 'print the answer of the admin API')
    .action(async (flags: AdminFlags) => {
      const status = await clientOf(flags).get<StatusAnswer>('/api/v1/status')
      process.stdout.write(flags.json ? `${JSON.stringify(status, null, 2)}\n` : `${formatStatus(status)}\n`)
    })
}

export function reloadCommand(): Command {
  return adminOptions(new Command('reload').description('load the configuration again; an invalid one changes nothing')).action(
    async (flags: AdminFlags) => {
      const answer = await clientOf(flags).post<{ generation: number; warnings: readonly string[] }>('/api/v1/reload')
      for (const warning of answer.warnings) process.stdout.write(`${warning}\n`)
      process.stdout.write(`reloaded: generation ${answer.generation} is in force\n`)
    },
  )
}

export function serverCommand(): Command {
  const command = new Command('server').description('change a server of the running Evener')
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
  command.addCommand(
    adminOptions(
      new Command('weight')
        .description('set the weight; 0 takes no new requests')
        .argument('<pool/server>')
        .argument('<weight>', '0 to 65535', readWeight),
    ).action(async (target: string, weight: number, flags: AdminFlags) => {
      await patchServer(target, { weight }, flags)
      process.stdout.write(`${target}: weight ${weight}\n`)
    }),
  )
  return command
}

function patchServer(target: string, change: object, flags: AdminFlags): Promise<unknown> {
  const slash = target.indexOf('/')
  if (slash <= 0 || slash === target.length - 1) throw new AdminError(`"${target}" names no server: write POOL/SERVER, as in "app/a"`)
  const pool = encodeURIComponent(target.slice(0, slash))
  const server = encodeURIComponent(target.slice(slash + 1))
  return clientOf(flags).patch(`/api/v1/pools/${pool}/servers/${server}`, change)
}

function clientOf(flags: AdminFlags): AdminClient {
  const options: AdminOptions = { url: /^https?:/.test(flags.admin) ? flags.admin : `http://${flags.admin}`, token: flags.token }
  return new AdminClient(options)
}

function readWeight(text: string): number {
  const weight = Number(text)
  if (!/^\d{1,5}$/.test(text) || weight > 65535) throw new InvalidArgumentError('a weight is a whole number from 0 to 65535.')
  return weight
}

function formatStatus(status: StatusAnswer): string {
  const uptime = `${Math.round(status.uptimeMs / 1000)} s`
  const lines = [
    `evener ${status.version}, ${status.workers} worker${status.workers === 1 ? '' : 's'}, ${status.engine.reason}, up ${uptime}`,
    `configuration ${status.config.file ?? '(command line)'}, generation ${status.config.generation}, loaded ${status.config.loadedAt}`,
    '',
    formatTable([
      ['LISTENER', 'ADDRESS', 'CONNECTIONS', 'REQUESTS', 'P50', 'P99'],
      ...status.listeners.map(({ name, addresses, connections, requests, latencyMs }) => [
        name,
        addresses.join(' '),
        connections,
        requests,
        formatMs(latencyMs?.p50),
        formatMs(latencyMs?.p99),
      ]),
    ]),
  ]
  for (const pool of status.pools) lines.push('', `pool ${pool.name} (${pool.algorithm})`, formatPool(pool))
  return lines.join('\n')
}

/** Two digits that mean something: "0.42 ms", "4.2 ms", "420 ms". */
function formatMs(value: number | undefined): string {
  return value === undefined ? '-' : `${Number(value.toPrecision(2))} ms`
}

function formatPool(pool: PoolAnswer): string {
  return formatTable([
    ['  SERVER', 'ADDRESS', 'HEALTH', 'ADMIN', 'WEIGHT', 'PRIORITY', 'ACTIVE', 'REQUESTS', 'FAILURES', 'CHECK'],
    ...pool.servers.map((server) => [
      `  ${server.name}`,
      server.address,
      server.health,
      server.admin,
      server.weight,
      server.priority,
      server.active,
      server.requests,
      server.failures,
      server.check?.reason ?? '-',
    ]),
  ])
}
