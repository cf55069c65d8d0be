import { z } from 'zod'
import { pool } from './pool.ts'
import { route } from './route.ts'
import { address, cidr, duration, durationOrNone, fieldValue, name, oneOrMore, size, sizeOrNone } from './scalars.ts'

/** The block of the engine is 32 KiB; a head and what the proxy adds to it must fit. */
const MAX_HEAD_BYTES = 24 * 1024

const headSize = size.refine((bytes) => bytes >= 1024 && bytes <= MAX_HEAD_BYTES, 'a head may be 1KiB to 24KiB')

const limits = z.strictObject({
  head: headSize.optional().describe('Request head, 1KiB to 24KiB; 431 above it. Default 16KiB.'),
  line: headSize.optional().describe('Request line; 414 above it. Default 8KiB.'),
  fields: z.int().min(1).max(256).optional().describe('Fields of a request; 431 above it. Default 100.'),
  body: sizeOrNone.optional().describe('Request body; 413 above it. Default none.'),
  connections: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('Open connections of a listener in each worker; more wait in the kernel. Default 50000.'),
})

const timeouts = {
  requestHead: duration.optional().describe('For the whole request head. Default 10s.'),
  requestBody: duration.optional().describe('For each next piece of a request body. Default 30s.'),
  idle: duration.optional().describe('For a kept-alive connection without a request. Default 60s.'),
  send: duration.optional().describe('Without progress while the client has bytes to take. Default 60s.'),
  tunnel: durationOrNone.optional().describe('Silence of an upgraded connection (WebSocket). Default 1h.'),
  connect: duration.optional().describe('For a connection to a server. Default 3s.'),
  response: duration.optional().describe('For the response head, and for each next piece of its body. Default 30s.'),
}

const listener = z.strictObject({
  bind: oneOrMore(address).describe('Where to listen: "0.0.0.0:80", "[::]:80", ":80", "unix:/run/web.sock".'),
  http: z
    .strictObject({
      routes: z.array(route).min(1, 'a listener has at least one route').describe('First match wins; none is a 404.'),
      timeouts: z.strictObject(timeouts).prefault({}).describe('Override those of the top level.'),
      limits: limits.prefault({}).describe('Override those of the top level.'),
      via: z
        .union([z.literal('none'), z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/)])
        .default('evener')
        .describe('Pseudonym in Via, or "none".'),
      forwarded: z
        .enum(['x-forwarded', 'forwarded', 'both', 'none'])
        .default('x-forwarded')
        .describe('Which fields tell the server about the client.'),
    })
    .describe('HTTP/1.1.'),
})

const errorPage = z
  .strictObject({
    body: z
      .string()
      .max(1024 * 1024)
      .describe('The page; "${file:error.html}" takes it from a file.'),
    contentType: fieldValue.default('text/html; charset=utf-8').describe('Content-Type.'),
  })
  .describe('Page for an error that Evener answers itself. Clients that ask for JSON get JSON.')

/** A whole configuration, as it is written. The parsed value has every default filled in, and no inheritance resolved. */
export const configuration = z.strictObject({
  workers: z
    .union([z.literal('auto'), z.int().min(1).max(64)])
    .default('auto')
    .describe('Threads that carry traffic; "auto" is one for each CPU.'),
  engine: z
    .enum(['auto', 'uring', 'portable'])
    .default('auto')
    .describe('"auto" takes uring where the kernel allows it, and portable elsewhere.'),
  admin: z
    .union([
      z.literal('none'),
      z.strictObject({
        bind: address.prefault('127.0.0.1:9900').describe('Where to listen.'),
        token: z.string().min(16, 'a token has at least 16 characters').optional().describe('Bearer token; required off loopback.'),
      }),
    ])
    .prefault({})
    .describe('API, metrics and health, or "none".'),
  accessLog: z
    .strictObject({
      path: z.string().min(1).describe('A file, "stdout" or "stderr".'),
      format: z.string().default('json').describe('"json", "combined" or a template like "{client} {method} {uri} {status}".'),
    })
    .optional()
    .describe('One line for each exchange; none without this.'),
  trustedProxies: z.array(cidr).default([]).describe('Peers whose Forwarded and X-Forwarded-* are believed.'),
  timeouts: z
    .strictObject({ ...timeouts, drain: duration.prefault('30s').describe('Grace period of a shutdown.') })
    .prefault({})
    .describe('For all listeners and pools that say nothing else.'),
  limits: limits.prefault({}).describe('For all listeners that say nothing else.'),
  errorPages: z
    .record(z.string().regex(/^[45]\d\d$/, 'expected a status like "502"'), errorPage)
    .default({})
    .describe('By status.'),
  include: z.array(z.string().min(1)).default([]).describe('More files with listeners and pools; globs, relative to this file.'),
  listeners: z.record(name, listener).describe('By name.'),
  pools: z.record(name, pool).default({}).describe('By name.'),
})

export type ConfigurationInput = z.input<typeof configuration>
export type Configuration = z.output<typeof configuration>
