import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Cleanup } from './cleanup.ts'
import { Authority } from './openssl.ts'
import type { Pebble } from './pebble.ts'

/** A window as RFC 9773 has it, and how long it holds. */
export interface SuggestedWindow {
  readonly start: Date
  readonly end: Date
  readonly retryAfter: string
}

export interface RenewalInfo {
  readonly directory: string
  readonly caFile: string
  /** Identifiers that were asked about, in that order. */
  readonly asked: readonly string[]
  /** Payloads of new orders. */
  readonly orders: readonly { readonly replaces?: string }[]
}

/** Pebble 2.4 knows nothing of renewal information (RFC 9773): stands before it, passes everything on and answers that itself. */
export async function renewalInfo(t: Cleanup, behind: Pebble, windowOf: (id: string) => SuggestedWindow): Promise<RenewalInfo> {
  const authority = new Authority(t, 'Renewal Root')
  const { cert, key } = authority.issue({ name: 'localhost' })
  const asked: string[] = []
  const orders: { readonly replaces?: string }[] = []
  const target = new URL(behind.directory)
  const server = createServer({ cert, key }, (incoming, response) => {
    const base = `https://${incoming.headers.host}`
    const id = /^\/renewal-info\/([\w-]+\.[\w-]+)$/.exec(incoming.url ?? '')?.[1]
    if (id !== undefined) {
      asked.push(id)
      const { start, end, retryAfter } = windowOf(id)
      response.setHeader('retry-after', retryAfter)
      response.end(JSON.stringify({ suggestedWindow: { start: start.toISOString(), end: end.toISOString() } }))
      return
    }
    const options = { host: target.hostname, port: target.port, path: incoming.url, method: incoming.method, headers: incoming.headers }
    const onward = request({ ...options, rejectUnauthorized: false }, (answer) => {
      const pieces: Buffer[] = []
      answer.on('data', (piece: Buffer) => pieces.push(piece))
      answer.on('end', () => {
        const body = Buffer.concat(pieces)
        const shown =
          incoming.url === '/dir'
            ? Buffer.from(JSON.stringify({ ...JSON.parse(body.toString()), renewalInfo: `${base}/renewal-info` }))
            : body
        const { 'transfer-encoding': _framing, ...headers } = answer.headers
        response.writeHead(answer.statusCode ?? 502, { ...headers, 'content-length': shown.length })
        response.end(incoming.method === 'HEAD' ? undefined : shown)
      })
    })
    onward.on('error', () => response.destroy())
    const pieces: Buffer[] = []
    incoming.on('data', (piece: Buffer) => pieces.push(piece))
    incoming.on('end', () => {
      const body = Buffer.concat(pieces)
      if (incoming.url === '/order-plz') orders.push(payloadOf(body))
      onward.end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { directory: `https://localhost:${(server.address() as AddressInfo).port}/dir`, caFile: authority.certFile, asked, orders }
}

function payloadOf(jws: Buffer): { readonly replaces?: string } {
  const { payload } = JSON.parse(jws.toString()) as { payload: string }
  return JSON.parse(Buffer.from(payload, 'base64url').toString())
}
