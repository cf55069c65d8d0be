import { Command } from 'commander'
import { type AdminFlags, adminOptions, clientOf } from './admin-options.ts'
import { formatTable } from './table.ts'

interface SessionsFlags extends AdminFlags {
  readonly clear?: boolean
  readonly server?: string
  readonly limit: string
}

/** The session table of a pool with persistence by table. */
export function sessionsCommand(): Command {
  return adminOptions(
    new Command('sessions')
      .description('show or clear the sessions that a pool remembers by its table')
      .argument('<pool>')
      .option('--clear', 'forget them: the next request of each client is balanced anew')
      .option('--server <name>', 'with --clear: those of this server only')
      .option('--limit <count>', 'how many are shown', '100'),
  ).action(async (pool: string, flags: SessionsFlags) => {
    const path = `/api/v1/pools/${encodeURIComponent(pool)}/sessions`
    if (flags.clear) {
      const of = flags.server === undefined ? '' : `?server=${encodeURIComponent(flags.server)}`
      const { cleared } = await clientOf(flags).delete<{ cleared: number }>(path + of)
      process.stdout.write(`${pool}: ${cleared} sessions cleared\n`)
      return
    }
    const answer = await clientOf(flags).get<SessionsAnswer>(`${path}?limit=${encodeURIComponent(flags.limit)}`)
    process.stdout.write(`${pool}: ${answer.count} sessions, ${answer.sessions.length} shown\n`)
    if (answer.sessions.length > 0) {
      process.stdout.write(
        `${formatTable([['SERVER', 'EXPIRES'], ...answer.sessions.map(({ server, expiresAt }) => [server, expiresAt])])}\n`,
      )
    }
  })
}

interface SessionsAnswer {
  readonly count: number
  readonly sessions: readonly { readonly server: string; readonly expiresAt: string }[]
}
