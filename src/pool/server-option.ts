import { z } from 'zod'
import { formatAddress } from '../core/index.ts'
import { complaintOf, exactlyOne, name, options, serverAddress } from '../schema/index.ts'
import type { CheckPlace } from './check/plan.ts'
import type { ServerPlan } from './plan.ts'

const serverName = name.describe('Name in status, metrics, log and admin API; the address without this.')

const count = z.int().min(1).max(1_000_000)

const place = options({
  address: serverAddress.optional().describe('Another address.'),
  port: z.int().min(1).max(65535).optional().describe("Another port of the server's host."),
})
  .check(exactlyOne('a place', ['address', 'port']))
  .transform(({ address, port }): CheckPlace => ({ address, port }))

const map = options({
  name: serverName.optional(),
  address: serverAddress.describe('Where it listens: an IP address with a port, or a Unix socket.'),
  weight: z.int().min(0).max(256).default(1).describe('Share of the traffic beside the others; 0 gets nothing new.'),
  priority: z.int().min(0).max(255).default(0).describe('0 first; a larger one is used while no server of a smaller one is available.'),
  admin: z.enum(['ready', 'drain', 'maintenance']).default('ready').describe('Administrative state to start with.'),
  maxConnections: count.optional().describe("Connections to it; the pool's `limits` without this."),
  check: place.optional().describe('Where this server is checked, instead of what the pool\'s "check" says.'),
  agent: place.optional().describe('Where the agent of this server listens, instead of what the pool\'s "agent" says.'),
  maxRequests: count.optional().describe("Requests that it works on at a time; the pool's `limits` without this."),
})

/** One entry of `servers`. */
export const server = z
  .union([serverAddress.transform((where) => map.parse({ address: formatAddress(where) })), map])
  .describe('A server; its address alone will do.')

export function normaliseServer({ name: own, ...rest }: z.output<typeof map>): ServerPlan {
  return { name: own ?? formatAddress(rest.address), ...rest }
}

/**
 * Servers that come from elsewhere than the configuration, written as there: the admin API, a file, another host. The first thing
 * that is wrong comes back as a sentence without a full stop.
 */
export function readServers(value: unknown, maxServers: number): ServerPlan[] | string {
  if (!Array.isArray(value)) return 'a list of servers is expected'
  if (value.length > maxServers) return `there are ${value.length} servers, and at most ${maxServers} are allowed`
  const servers: ServerPlan[] = []
  const names = new Set<string>()
  for (const [index, each] of value.entries()) {
    const read = map.safeParse(typeof each === 'string' ? { address: each } : each)
    if (!read.success) return `server ${index}: ${sentenceOf(read.error.issues[0])}`
    const normal = normaliseServer(read.data)
    if (names.has(normal.name)) return `there are two servers "${normal.name}"`
    names.add(normal.name)
    servers.push(normal)
  }
  return servers
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  const complaint = complaintOf(issue)
  const place = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `
  const message = complaint?.message ?? issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
  return `${place}${message}${complaint?.hint === undefined ? '' : `; ${complaint.hint}`}`
}
