import { describeChecks, describeHealth, describePoolState, type PoolAnswer, type ServerAnswer, type StatusAnswer } from '../answers.ts'
import { formatMs } from '../status.ts'
import { formatTable, plain } from '../table.ts'

/** What the admin API said at one moment. */
export interface Sample {
  readonly status: StatusAnswer
  /** Milliseconds on a monotonic clock. */
  readonly atMs: number
}

/** How a line stands out; by words as well, for who sees no colours. */
export type Emphasis = 'none' | 'title' | 'head' | 'bad' | 'notice'

export interface FrameLine {
  readonly text: string
  readonly emphasis: Emphasis
}

/** A whole view of what is going on, from two samples; without the earlier one, and after a restart, there are no rates. */
export function frameOf(now: Sample, before: Sample | undefined): FrameLine[] {
  const { status } = now
  const rates = new Rates(now, before)
  const lines: FrameLine[] = [title(status), line(summary(status, rates)), line('')]
  lines.push(...table([['LISTENER', 'CONNECTIONS', 'REQUESTS/S', 'P50', 'P99'], ...listenerRows(status, rates)]))
  for (const pool of status.pools) {
    lines.push(line(''), poolTitle(pool))
    for (const { source, failure } of pool.discovery) if (failure !== null) lines.push(line(`${source}: ${failure}`, 'notice'))
    lines.push(...serverLines(pool, rates))
  }
  return lines
}

/** Counts of a sample against the one before. */
class Rates {
  readonly #seconds: number
  readonly #before: StatusAnswer | undefined

  constructor(now: Sample, before: Sample | undefined) {
    // Counters of another process say nothing.
    const isSame = before !== undefined && now.status.uptimeMs >= before.status.uptimeMs
    this.#before = isSame ? before.status : undefined
    this.#seconds = isSame ? Math.max(0.001, (now.atMs - before.atMs) / 1000) : 1
  }

  listener(name: string, requests: number): number | undefined {
    return this.#rate(requests, this.#before?.listeners.find((listener) => listener.name === name)?.requests)
  }

  server(pool: string, server: ServerAnswer, field: 'requests' | 'failures'): number | undefined {
    const before = this.#before?.pools.find(({ name }) => name === pool)?.servers.find(({ name }) => name === server.name)
    return this.#rate(server[field], before?.[field])
  }

  #rate(count: number, before: number | undefined): number | undefined {
    return before === undefined || count < before ? undefined : (count - before) / this.#seconds
  }
}

function title({ version, workers, engine, uptimeMs, config }: StatusAnswer): FrameLine {
  const text = `evener ${version}   up ${formatUptime(uptimeMs)}   ${workers} worker${workers === 1 ? '' : 's'}   ${engine.kind}   generation ${config.generation}`
  return line(text, 'title')
}

function summary(status: StatusAnswer, rates: Rates): string {
  const all = status.listeners.map(({ name, requests }) => rates.listener(name, requests))
  const rate = all.some((each) => each === undefined) ? undefined : all.reduce<number>((sum, each) => sum + (each ?? 0), 0)
  const connections = status.listeners.reduce((sum, listener) => sum + listener.connections, 0)
  const active = status.pools.reduce((sum, pool) => sum + pool.active, 0)
  return `${formatRate(rate)} requests/s   ${connections} connections   ${active} active`
}

function listenerRows({ listeners }: StatusAnswer, rates: Rates): (string | number)[][] {
  return listeners.map(({ name, connections, requests, latencyMs }) => [
    name,
    connections,
    right(formatRate(rates.listener(name, requests)), 10),
    formatMs(latencyMs?.p50),
    formatMs(latencyMs?.p99),
  ])
}

function poolTitle(pool: PoolAnswer): FrameLine {
  const state = describePoolState(pool)
  const text = `pool ${pool.name} (${pool.algorithm}): ${pool.available} of ${pool.servers.length} available${state === '' ? '' : `, ${state}`}`
  const isBad = pool.available === 0 || pool.breaker === 'open'
  return line(text, isBad ? 'bad' : pool.panic ? 'notice' : 'title')
}

function serverLines(pool: PoolAnswer, rates: Rates): FrameLine[] {
  if (pool.servers.length === 0) return [line('no servers', 'bad')]
  const head = ['SERVER', 'HEALTH', 'ADMIN', 'WEIGHT', 'ACTIVE', 'REQUESTS/S', 'LATENCY', 'ERRORS/S', 'ERRORS', 'CHECK']
  const rows = pool.servers.map((server) => [
    server.name,
    describeHealth(server),
    server.admin,
    server.weight,
    server.active,
    right(formatRate(rates.server(pool.name, server, 'requests')), 10),
    formatMs(server.latencyMs === 0 ? undefined : server.latencyMs),
    right(formatRate(rates.server(pool.name, server, 'failures')), 8),
    server.failures,
    describeChecks(server),
  ])
  const emphasis = pool.servers.map(({ health, ejected, admin }): Emphasis => {
    if (health === 'down' || ejected) return 'bad'
    return admin !== 'ready' || health === 'starting' ? 'notice' : 'none'
  })
  return table([head, ...rows], emphasis)
}

function table(rows: readonly (readonly (string | number)[])[], emphasis: readonly Emphasis[] = []): FrameLine[] {
  const [head, ...body] = formatTable(rows).split('\n')
  return [line(head, 'head'), ...body.map((text, index) => line(text, emphasis[index] ?? 'none'))]
}

function line(text: string, emphasis: Emphasis = 'none'): FrameLine {
  return { text: plain(text), emphasis }
}

function right(text: string, width: number): string {
  return text.padStart(width)
}

/** "0", "0.4", "12", "4,200"; "-" where it is not known. */
function formatRate(rate: number | undefined): string {
  if (rate === undefined) return '-'
  return rate < 10 ? String(Math.round(rate * 10) / 10) : Math.round(rate).toLocaleString('en-US')
}

function formatUptime(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60]
  if (days > 0) return `${days} d ${hours} h`
  if (hours > 0) return `${hours} h ${minutes} min`
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}
