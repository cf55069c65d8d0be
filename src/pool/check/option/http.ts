import { z } from 'zod'
import { fieldName, fieldValue, options } from '../../../schema/index.ts'
import { statusRanges } from '../../status-ranges.ts'
import type { HttpProbePlan } from '../plan.ts'
import { textPattern } from './text-pattern.ts'
import { type InheritedTls, tlsPlan, tlsShape } from './tls.ts'

const shape = {
  path: z
    .string()
    .regex(/^\/[!-~]*$/, 'a path begins with "/" and has no spaces')
    .default('/')
    .describe('Path and query to ask for.')
    .meta({ examples: ['/healthz'] }),
  method: z.enum(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT']).default('GET').describe('Request method.'),
  host: fieldValue.optional().describe("Value of Host; the server's address without this."),
  headers: z.record(fieldName, fieldValue).default({}).describe('More fields to send, by name.'),
  requestBody: z.string().max(4096).optional().describe('Body to send, with its Content-Length.'),
  status: statusRanges.prefault('200-399').describe('Statuses that count as success: "200", "200-399", "200,204".'),
  responseHeaders: z.record(fieldName, textPattern).default({}).describe('Fields that the response must have, and what must be in them.'),
  body: textPattern.optional().describe('What must be in the first 64 KiB of the body; a regular expression sees the first 8 KiB.'),
}

export const httpOptions = options(shape)
export const httpsOptions = options({ ...shape, ...tlsShape })

type HttpConfig = z.output<typeof httpOptions>

export function httpProbe(config: HttpConfig): HttpProbePlan {
  return { kind: 'http', ...requestOf(config), tls: undefined }
}

export function httpsProbe(config: z.output<typeof httpsOptions>, pool: InheritedTls): HttpProbePlan {
  return { kind: 'https', ...requestOf(config), tls: tlsPlan(config, pool) }
}

function requestOf(config: HttpConfig): Omit<HttpProbePlan, 'kind' | 'tls'> {
  return {
    method: config.method,
    path: config.path,
    host: config.host,
    headers: Object.entries(config.headers).map(([name, value]) => ({ name, value })),
    requestBody: config.requestBody,
    status: config.status,
    responseHeaders: Object.entries(config.responseHeaders).map(([name, pattern]) => ({ name, pattern })),
    body: config.body,
  }
}
