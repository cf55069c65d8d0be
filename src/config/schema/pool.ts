import { z } from 'zod'
import { ALGORITHM_NAMES } from '../../pool/config.ts'
import { address, duration, fieldName, fieldValue, name } from './scalars.ts'

const server = z
  .strictObject({
    name: name.optional().describe('Name in status, metrics and the admin API; the address without this.'),
    address: address.describe('Where it listens: "10.0.0.11:8080", "[::1]:8080", "unix:/run/app.sock".'),
    weight: z.int().min(0).max(256).default(1).describe('Share of the traffic; 0 gets nothing new.'),
    priority: z.int().min(0).max(255).default(0).describe('0 first; a larger one is used while no server of a smaller one is available.'),
    admin: z.enum(['ready', 'drain', 'maintenance']).default('ready').describe('Administrative state to start with.'),
  })
  .describe('A server; its address alone will do.')

const statusRange = z
  .string()
  .regex(/^[1-5]\d\d(-[1-5]\d\d)?(,\s*[1-5]\d\d(-[1-5]\d\d)?)*$/, 'expected statuses like "200", "200-399" or "200,204"')
  .transform((text) => mergeRanges(text.split(',').map(readRange)))

const httpCheck = z.strictObject({
  path: z
    .string()
    .regex(/^\/[!-~]*$/, 'expected a path that begins with "/"')
    .default('/')
    .describe('Path and query to ask for.'),
  method: z.enum(['GET', 'HEAD', 'OPTIONS']).default('GET').describe('Request method.'),
  host: fieldValue.optional().describe("Value of Host; the server's address without this."),
  headers: z.record(fieldName, fieldValue).default({}).describe('More fields to send.'),
  status: statusRange.prefault('200-399').describe('Statuses that count as success.'),
  body: z.string().min(1).optional().describe('Text that the first 64 KiB of the body must contain.'),
})

const check = z
  .strictObject({
    tcp: z.strictObject({}).optional().describe('Success is a connection.'),
    http: httpCheck.optional().describe('Success is a response with one of the statuses.'),
    interval: duration.prefault('2s').describe('Time from one check to the next, give or take 10 %.'),
    timeout: duration.prefault('1s').describe('A check that takes longer has failed.'),
    rise: z.int().min(1).max(1000).default(2).describe('Successes in a row that bring a server up. The very first result decides alone.'),
    fall: z.int().min(1).max(1000).default(3).describe('Failures in a row that take it down.'),
    address: address.optional().describe("Where to check instead of the server's own address."),
    port: z.int().min(1).max(65535).optional().describe("Another port of the server's host."),
  })
  .superRefine((value, context) => {
    const kinds = [value.tcp, value.http].filter((kind) => kind !== undefined).length
    if (kinds !== 1)
      context.addIssue({
        code: 'custom',
        message: kinds === 0 ? 'a check needs one of "tcp" and "http"' : 'a check has one of "tcp" and "http", not both',
      })
    if (value.address !== undefined && value.port !== undefined)
      context.addIssue({ code: 'custom', message: 'a check has "address" or "port", not both' })
  })

const algorithmName = z.enum(ALGORITHM_NAMES as unknown as [string, ...string[]])

export const pool = z.strictObject({
  algorithm: z
    .union([algorithmName, z.strictObject({ name: algorithmName })])
    .default('round-robin')
    .describe('How a server is chosen.'),
  servers: z
    .array(
      z.union([
        address.transform((where) => ({ name: undefined, address: where, weight: 1, priority: 0, admin: 'ready' as const })),
        server,
      ]),
    )
    .min(1, 'a pool has at least one server')
    .describe('The servers.'),
  check: check.optional().describe('Active health check; none without this.'),
  keepAlive: z
    .strictObject({
      idle: z
        .int()
        .min(0)
        .max(65536)
        .default(256)
        .describe('Idle connections to keep for each server and worker; 0 closes each after its exchange.'),
      timeout: duration.prefault('55s').describe("An idle connection is closed after this; keep it below the server's own."),
    })
    .prefault({})
    .describe('Idle connections to servers.'),
  timeouts: z
    .strictObject({
      connect: duration.optional().describe('For a connection to a server.'),
      response: duration.optional().describe('For the response head, and for each next piece of its body.'),
    })
    .prefault({})
    .describe('Override those of the listener and the top level.'),
})

function readRange(text: string): { from: number; to: number } {
  const [from, to] = text.trim().split('-').map(Number)
  return { from, to: to ?? from }
}

function mergeRanges(ranges: { from: number; to: number }[]): { from: number; to: number }[] {
  const merged: { from: number; to: number }[] = []
  for (const range of ranges.sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last !== undefined && range.from <= last.to + 1) last.to = Math.max(last.to, range.to)
    else merged.push(range)
  }
  return merged
}
