import { Command } from 'commander'
import { type AdminFlags, adminOptions, clientOf } from './admin-options.ts'
import { describeChecks, describeHealth, describePoolState, type PoolAnswer, type StatusAnswer } from './answers.ts'
import { formatTable, plain } from './table.ts'

export function statusCommand(): Command {
  return adminOptions(new Command('status').description('show listeners, pools and servers of the running Evener'))
    .option('--json', 'print the answer of the admin API')
    .action(async (flags: AdminFlags & { readonly json?: boolean }) => {
      const status = await clientOf(flags).get<StatusAnswer>('/api/v1/status')
      process.stdout.write(flags.json ? `${JSON.stringify(status, null, 2)}\n` : `${formatStatus(status)}\n`)
    })
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
  if (status.certificates.length > 0) lines.push('', formatCertificates(status.certificates))
  for (const pool of status.pools) lines.push('', poolLine(pool), ...pool.discovery.map(sourceLine), formatPool(pool))
  return lines.join('\n')
}

function formatCertificates(certificates: StatusAnswer['certificates']): string {
  return formatTable([
    ['CERTIFICATE', 'LISTENER', 'SUBJECT', 'EXPIRES', 'RENEWAL'],
    ...certificates.map(({ listener, file, subject, expiresAt, acme }) => {
      return [plain(file), listener, plain(subject), expiresAt.slice(0, 10), describeRenewal(acme)]
    }),
  ])
}

function describeRenewal(acme: StatusAnswer['certificates'][number]['acme']): string {
  if (acme === null) return '-'
  return acme.state === 'waiting' ? (acme.nextOrderAt ?? '-').slice(0, 10) : acme.state
}

/** Two digits that mean something: "0.42 ms", "4.2 ms", "420 ms". */
export function formatMs(value: number | undefined): string {
  return value === undefined ? '-' : `${Number(value.toPrecision(2))} ms`
}

function poolLine(pool: PoolAnswer): string {
  const state = describePoolState(pool)
  return `pool ${pool.name} (${pool.algorithm})${state === '' ? '' : `: ${state}`}`
}

function sourceLine({ source, servers, failure }: PoolAnswer['discovery'][number]): string {
  return `  ${source}: ${servers} server${servers === 1 ? '' : 's'}${failure === null ? '' : `, of the last answer: ${plain(failure)}`}`
}

function formatPool(pool: PoolAnswer): string {
  if (pool.servers.length === 0) return '  no servers'
  return formatTable([
    ['  SERVER', 'ADDRESS', 'HEALTH', 'ADMIN', 'WEIGHT', 'PRIORITY', 'ACTIVE', 'REQUESTS', 'FAILURES', 'FROM', 'CHECK'],
    ...pool.servers.map((server) => [
      `  ${server.name}`,
      server.address,
      describeHealth(server),
      server.admin,
      server.weight,
      server.priority,
      server.active,
      server.requests,
      server.failures,
      server.source,
      describeChecks(server),
    ]),
  ])
}
