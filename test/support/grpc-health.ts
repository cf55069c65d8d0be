import { once } from 'node:events'
import { createSecureServer, createServer, type Http2SecureServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Certificate } from './certificate.ts'
import type { Cleanup } from './cleanup.ts'

/** What grpc.health.v1 answers by service: a status, "missing" for grpc-status NOT_FOUND, or anything written by hand. */
export type HealthAnswers = Readonly<Record<string, number | 'missing' | ((stream: ServerHttp2Stream) => void)>>

/** A gRPC health server over node:http2, with a certificate over TLS. Returns its address. */
export async function grpcHealth(t: Cleanup, answers: HealthAnswers, certificate?: Certificate): Promise<string> {
  const server = certificate === undefined ? createServer() : createSecureServer({ cert: certificate.cert, key: certificate.key })
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = []
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      const service = serviceOf(Buffer.concat(chunks))
      if (headers[':path'] !== '/grpc.health.v1.Health/Check' || headers.te !== 'trailers')
        stream.respond({ ':status': 400 }, { endStream: true })
      else answer(stream, answers[service] ?? 'missing')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closeWith(t, server)
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

function answer(stream: ServerHttp2Stream, what: HealthAnswers[string]): void {
  if (typeof what === 'function') {
    what(stream)
    return
  }
  const head = { ':status': 200, 'content-type': 'application/grpc' }
  if (what === 'missing') {
    stream.respond({ ...head, 'grpc-status': '5', 'grpc-message': 'unknown service' }, { endStream: true })
    return
  }
  stream.respond(head, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(what === 0 ? Buffer.from([0, 0, 0, 0, 0]) : Buffer.from([0, 0, 0, 0, 2, 8, what]))
}

function serviceOf(message: Buffer): string {
  if (message.length <= 5) return ''
  return message.toString('latin1', message[6] < 128 ? 7 : 8)
}

function closeWith(t: Cleanup, server: Http2Server | Http2SecureServer): void {
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('error', () => {})
  })
  t.after(() => {
    server.close()
    for (const session of sessions) session.destroy()
  })
}
