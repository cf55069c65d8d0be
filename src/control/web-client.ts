import { request as requestClear } from 'node:http'
import { request as requestSecure } from 'node:https'
import type { Ask, WebRequest, WebResponse } from '../core/index.ts'

/** Asks web servers, one connection for each question. `ca` is PEM of the authorities that are believed; undefined for Mozilla's list. */
export function webClient(ca?: string): Ask {
  return (request, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<WebResponse>()
    const limit = AbortSignal.timeout(request.timeoutMs)
    send(request, ca, AbortSignal.any([signal, limit]), resolve, (error) => {
      if (signal.aborted) reject(signal.reason)
      else reject(limit.aborted ? new Error(`no answer within ${request.timeoutMs} ms`) : new Error(describe(error)))
    })
    return promise
  }
}

function send(
  { method, url, headers, body, maxBytes }: WebRequest,
  ca: string | undefined,
  signal: AbortSignal,
  resolve: (response: WebResponse) => void,
  reject: (error: Error) => void,
): void {
  const isSecure = url.startsWith('https:')
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const options = { method, headers: { ...headers, ...length }, agent: false, signal, ...(isSecure && ca !== undefined ? { ca } : {}) }
  const question = (isSecure ? requestSecure : requestClear)(url, options, (response) => {
    const pieces: Buffer[] = []
    let bytes = 0
    response.on('data', (piece: Buffer) => {
      bytes += piece.length
      pieces.push(piece)
      if (bytes > maxBytes) question.destroy(new Error(`the answer has more than ${maxBytes} bytes`))
    })
    response.on('error', reject)
    response.on('end', () => {
      const all = Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')])
      resolve({ status: response.statusCode ?? 0, headers: Object.fromEntries(all), body: Buffer.concat(pieces) })
    })
  })
  question.on('error', reject)
  question.end(body)
}

/** Several addresses that could not be reached are several errors without words of their own. */
function describe(error: Error): string {
  const [first] = (error as AggregateError).errors ?? []
  return error.message || (first as Error | undefined)?.message || (error as NodeJS.ErrnoException).code || 'it cannot be reached'
}
