import { EvenerError, type WebResponse } from '../core/index.ts'

const PREFIX = 'urn:ietf:params:acme:error:'
const MAX_TEXT = 500

/** What an authority said against a request (RFC 8555 §6.7). The message quotes it, short and printable. */
export class AcmeProblem extends EvenerError {
  /** "badNonce"; "" where it gave none. */
  readonly type: string
  readonly status: number
  /** How long it wants to be left alone; undefined where it does not say. */
  readonly retryAfterMs: number | undefined

  constructor(type: string, status: number, message: string, retryAfterMs: number | undefined) {
    super('ACME_FAILED', message)
    this.type = type
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

/** The problem that a response is. */
export function problemOf(response: WebResponse, nowMs: number): AcmeProblem {
  const { type, text } = describeProblem(parseJson(response.body))
  const message = text === '' ? `status ${response.status}` : text
  return new AcmeProblem(type, response.status, message, retryAfterMs(response, nowMs))
}

/** A problem document in one line: 'unauthorized: Invalid response from http://…; shop.test: …'. */
export function describeProblem(document: unknown): { readonly type: string; readonly text: string } {
  const { type, detail, subproblems } = (document ?? {}) as { type?: unknown; detail?: unknown; subproblems?: unknown }
  const name = typeof type === 'string' ? shorten(type.startsWith(PREFIX) ? type.slice(PREFIX.length) : type) : ''
  const details = (Array.isArray(subproblems) ? subproblems.slice(0, 5) : []).map((each) => {
    const { identifier, detail: inner } = (each ?? {}) as { identifier?: { value?: unknown }; detail?: unknown }
    return [textOf(identifier?.value), textOf(inner)].filter((part) => part !== '').join(': ')
  })
  const whole = [textOf(detail), ...details].filter((part) => part !== '').join('; ')
  return { type: name, text: shorten([name, whole].filter((part) => part !== '').join(': ')) }
}

/** RFC 9110 §10.2.3: seconds or a date. At most a day: who demands more is asked again then. */
export function retryAfterMs({ headers }: WebResponse, nowMs: number): number | undefined {
  const value = headers['retry-after']
  if (value === undefined) return undefined
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), 86_400_000)
}

export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

/** What is to be text in JSON of a stranger. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Of what a stranger says only printable characters, and not too many. */
export function shorten(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]+/g, ' ').trim()
  return printable.length > MAX_TEXT ? `${printable.slice(0, MAX_TEXT)}…` : printable
}
