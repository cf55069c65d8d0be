import { z } from 'zod'
import { acme } from '../acme/config.ts'
import { admin, hooks, stateFile } from '../control/config.ts'
import { engine, workers } from '../engine/config.ts'
import { accessLog } from '../observe/config.ts'
import { packetPlane } from '../packet/config.ts'
import { pool } from '../pool/config.ts'
import { errorPages, limits, listener, timeouts } from '../proxy/config.ts'
import { cidr, name, oneOrMore, options } from '../schema/index.ts'

/**
 * A whole configuration, as it is written. Each room declares its own part. The parsed value has every default filled in and
 * every text read, and no inheritance resolved.
 */
export const configuration = options({
  workers: workers.default('auto').describe('Threads that carry traffic; "auto" is one for each CPU.'),
  engine: engine.default('auto').describe('"auto" takes uring where the kernel allows it, and portable elsewhere.'),
  admin: admin.prefault({}).describe('API, metrics and health, or "none".'),
  stateFile: stateFile.optional(),
  hooks: hooks.optional().describe('Commands and webhooks that are told when the state of a pool or server changes, by name.'),
  acme: acme.optional().describe('Where the certificates come from that `tls.certificates` asks for with `acme`.'),
  accessLog: accessLog.optional().describe('One line for each exchange; none without this.'),
  trustedProxies: z.array(cidr).default([]).describe('Peers whose Forwarded and X-Forwarded-* are believed.'),
  timeouts: timeouts.prefault({}).describe('For all listeners and pools that say nothing else.'),
  limits: limits.prefault({}).describe('For all listeners that say nothing else.'),
  errorPages: errorPages.default({}).describe('Pages for errors that Evener answers itself: by status, or "4xx", "5xx", "default".'),
  packet: packetPlane.prefault({}).describe('What all packet listeners share.'),
  include: oneOrMore(z.string().min(1))
    .default([])
    .describe('More files with listeners and pools; globs, relative to this file.')
    .meta({ examples: ['conf.d/*.yaml'] }),
  listeners: z.record(name, listener).describe('Where traffic comes in, by name.'),
  pools: z.record(name, pool).default({}).describe('Where it goes, by name.'),
})

/** What a configuration file may say. */
export type ConfigurationInput = z.input<typeof configuration>
export type Configuration = z.output<typeof configuration>
