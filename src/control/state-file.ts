import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { formatAddress } from '../core/index.ts'
import { readServers, type ServerPlan } from '../pool/index.ts'
import { type PoolChanges, RuntimeChanges } from './runtime-changes.ts'

const VERSION = 1
const MAX_BYTES = 16 * 1024 * 1024
const MAX_SERVERS = 8192

const admin = z.enum(['ready', 'drain', 'maintenance'])
const weight = z.int().min(0).max(65535)
const contents = z.strictObject({
  version: z.literal(VERSION),
  pools: z.record(
    z.string(),
    z.strictObject({
      changed: z.record(
        z.string(),
        z.strictObject({
          admin: z.strictObject({ value: admin, over: admin }).optional(),
          weight: z.strictObject({ value: weight, over: weight }).optional(),
        }),
      ),
      added: z.array(z.unknown()),
      removed: z.record(z.string(), z.string()),
    }),
  ),
})

/** What read() found. */
export type StoredChanges =
  | { readonly kind: 'none' }
  | { readonly kind: 'read'; readonly changes: RuntimeChanges }
  /** `reason` in words without a full stop. */
  | { readonly kind: 'unreadable'; readonly reason: string }

/** Keeps runtime changes over a restart: JSON, replaced as a whole, so that a reader finds the old contents or the new ones. */
export class StateFile {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  read(): StoredChanges {
    let text: string
    try {
      text = readFileSync(this.path, 'utf8')
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      return code === 'ENOENT' ? { kind: 'none' } : { kind: 'unreadable', reason: message }
    }
    if (text.length > MAX_BYTES) return { kind: 'unreadable', reason: `it is larger than ${MAX_BYTES} bytes` }
    try {
      return { kind: 'read', changes: parse(text) }
    } catch (error) {
      return { kind: 'unreadable', reason: error instanceof z.ZodError ? firstIssue(error) : (error as Error).message }
    }
  }

  /** On disk when it returns. Throws what the system said. */
  write(changes: RuntimeChanges): void {
    const pools = Object.entries(changes.pools).map(([pool, { changed, added, removed }]) => [
      pool,
      { changed, added: Object.values(added).map((server) => ({ ...server, address: formatAddress(server.address) })), removed },
    ])
    const text = `${JSON.stringify({ version: VERSION, pools: Object.fromEntries(pools) }, null, 2)}\n`
    const temporary = `${this.path}.${randomUUID().slice(0, 8)}`
    try {
      writeDurably(temporary, text)
      renameSync(temporary, this.path)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
    syncFolder(dirname(this.path))
  }

  /** Out of the way of the next write, for whoever wants to look at it. Where it went. */
  setAside(): string {
    const aside = `${this.path}.unreadable`
    renameSync(this.path, aside)
    return aside
  }
}

function parse(text: string): RuntimeChanges {
  const { pools } = contents.parse(JSON.parse(text))
  const read = Object.entries(pools).map(([pool, { changed, added, removed }]): [string, PoolChanges] => {
    const servers = readServers(added, MAX_SERVERS)
    if (typeof servers === 'string') throw new Error(`pools.${pool}.added: ${servers}`)
    return [pool, { changed, added: byName(servers), removed }]
  })
  return new RuntimeChanges(Object.fromEntries(read))
}

function byName(servers: readonly ServerPlan[]): Record<string, ServerPlan> {
  return Object.fromEntries(servers.map((server) => [server.name, server]))
}

function firstIssue({ issues: [issue] }: z.ZodError): string {
  return `${issue.path.join('.') || 'the whole'}: ${issue.message}`
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Or a power failure could undo the rename. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
