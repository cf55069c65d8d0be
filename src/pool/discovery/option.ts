import { z } from 'zod'
import {
  always,
  complain,
  duration,
  durationBetween,
  exactlyOne,
  fieldName,
  fieldValue,
  oneOrMore,
  options,
  serverAddress,
} from '../../schema/index.ts'
import type { DiscoveryPlan } from './plan.ts'

const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/

const dnsName = z
  .string()
  .check(
    z.superRefine((text, context) => {
      const labels = text.replace(/\.$/, '').split('.')
      if (text.length <= 253 && labels.every((label) => LABEL.test(label))) return
      complain(context, {
        code: 'CONFIG_INVALID_VALUE',
        message: `${JSON.stringify(text)} is no name of DNS`,
        hint: 'for example "app.internal"',
      })
    }),
  )
  .meta({ title: 'DNS name', examples: ['app.internal', '_http._tcp.app.internal'] })

const url = z
  .string()
  .check(
    z.superRefine((text, context) => {
      const read = URL.canParse(text) ? new URL(text) : undefined
      if (read !== undefined && /^https?:$/.test(read.protocol) && read.username === '' && read.password === '') return
      const hint = read?.username ? 'a secret belongs into "headers"' : 'for example "http://10.0.0.5:8500/servers"'
      complain(context, { code: 'CONFIG_INVALID_VALUE', message: `${JSON.stringify(text)} is no URL that can be asked`, hint })
    }),
  )
  .meta({ title: 'URL', examples: ['http://10.0.0.5:8500/servers'] })

const dns = options({
  name: dnsName.describe('Absolute name; search domains are not tried, and /etc/hosts is not read.'),
  record: z
    .enum(['address', 'a', 'aaaa', 'srv'])
    .default('address')
    .describe('"address" asks for A and AAAA. The records of "srv" bring port, weight and priority with them.'),
  port: z.int().min(1).max(65535).optional().describe('Port of the servers; required but for "srv".'),
  resolvers: oneOrMore(serverAddress).optional().describe('Whom to ask, in this order; those of the system without this.'),
  minTtl: duration.prefault('1s').describe('Answers are kept for at least so long, whatever their TTL.'),
  maxTtl: duration.prefault('5m').describe('And for at most so long.'),
  timeout: durationBetween(1, 60_000).prefault('2s').describe('For one question to one resolver; each is asked twice.'),
}).check(
  always((value, report) => {
    const isSrv = value.record === 'srv'
    if (isSrv && value.port !== undefined) {
      report({ code: 'CONFIG_CONFLICT', message: 'SRV records bring their own ports, so there is no "port" beside record: srv' }, ['port'])
    }
    if (!isSrv && value.port === undefined)
      report({ code: 'CONFIG_MISSING', message: 'addresses have no port: give "port", or record: srv' })
  }),
)

const file = options({
  path: z
    .string()
    .min(1)
    .max(4096)
    .describe('JSON or YAML: a list of servers, written as in "servers", or a map with such a list under "servers".'),
  interval: duration.prefault('1s').describe('How often is looked whether it has changed.'),
})

const http = options({
  url: url.describe('Answers 200 with JSON: a list of servers, written as in "servers", or a map with such a list under "servers".'),
  headers: z.record(fieldName, fieldValue).default({}).describe('Fields to send, by name.'),
  interval: duration.prefault('10s').describe('How often it is asked.'),
  timeout: durationBetween(1, 60_000).prefault('5s').describe('For a whole answer, which has at most 4 MiB.'),
})

/** `discover` of a pool. */
export const discover = oneOrMore(
  options({
    dns: dns.optional().describe('By the records of a name, asked again when their TTL has run out.'),
    file: file.optional().describe('From a file.'),
    http: http.optional().describe('From an HTTP endpoint.'),
    whenEmpty: z.enum(['keep', 'apply']).default('keep').describe('An answer without servers keeps the last ones, or empties the pool.'),
  }).check(exactlyOne('a discovery', ['dns', 'file', 'http'])),
)

export function normaliseDiscover(config: z.output<typeof discover>): DiscoveryPlan[] {
  return config.map((each): DiscoveryPlan => {
    const mayEmpty = each.whenEmpty === 'apply'
    if (each.file !== undefined) return { kind: 'file', mayEmpty, path: each.file.path, intervalMs: each.file.interval }
    if (each.http !== undefined) {
      const headers = Object.entries(each.http.headers).map(([name, value]) => ({ name, value }))
      return { kind: 'http', mayEmpty, url: each.http.url, headers, intervalMs: each.http.interval, timeoutMs: each.http.timeout }
    }
    const { name, record, port, resolvers, minTtl, maxTtl, timeout } = each.dns as z.output<typeof dns>
    return {
      kind: 'dns',
      mayEmpty,
      name: name.toLowerCase().replace(/\.$/, ''),
      record,
      port: port ?? 0,
      resolvers: resolvers ?? [],
      minTtlMs: minTtl,
      maxTtlMs: Math.max(minTtl, maxTtl),
      timeoutMs: timeout,
    }
  })
}
