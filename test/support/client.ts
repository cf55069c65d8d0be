import { connect } from 'node:net'
import type { Cleanup } from './cleanup.ts'
import { Wire, type WireResponse } from './wire.ts'

/** What a client connects to: a port of 127.0.0.1, or an address like "[::1]:80" taken apart. */
export type Target = { readonly port: number; readonly host?: string } | { readonly path: string }

/** A raw client: connects and leaves every byte to the test. Destroyed afterwards. */
export async function client(t: Cleanup, target: Target): Promise<Wire> {
  const socket = connect({ ...('path' in target ? target : { host: '127.0.0.1', ...target }), allowHalfOpen: true })
  t.after(() => {
    socket.destroy()
  })
  const wire = new Wire(socket)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return wire
}

export interface RequestOptions {
  readonly method?: string
  readonly host?: string
  readonly fields?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** The bytes of a plain HTTP/1.1 request; Content-Length is added where there is a body. */
export function requestBytes(target: string, { method = 'GET', host = 'test', fields = {}, body }: RequestOptions = {}): Buffer {
  const content = body === undefined ? undefined : Buffer.from(body)
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`)]
  if (content !== undefined) lines.push(`Content-Length: ${content.length}`)
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), content ?? Buffer.alloc(0)])
}

/** One request on a connection of its own. */
export async function request(t: Cleanup, target: Target, uri: string, options: RequestOptions = {}): Promise<WireResponse> {
  const wire = await client(t, target)
  await wire.write(requestBytes(uri, { ...options, fields: { Connection: 'close', ...options.fields } }))
  const response = await wire.readResponse(options.method)
  wire.end()
  return response
}
