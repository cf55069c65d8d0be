import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { makeSelfSigned } from '../../src/control/self-signed.ts'
import type { SocketAddress } from '../../src/core/index.ts'
import type { TlsClientOptions, TlsServerOptions } from '../../src/engine/index.ts'
import { Witness } from './net.ts'

export const SHOP = makeSelfSigned(['shop.test', '127.0.0.1'])
export const OTHER = makeSelfSigned(['other.test', '*.other.test'])

const COMMON = {
  minVersion: '1.2',
  maxVersion: '1.3',
  ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  suites: 'TLS_AES_128_GCM_SHA256',
  groups: 'X25519:P-256',
  protocols: [],
} as const

export function serverOptions(more: Partial<TlsServerOptions> = {}): TlsServerOptions {
  return {
    id: 'test',
    certificates: [{ chain: SHOP.cert, key: SHOP.key }],
    ...COMMON,
    clientCertificates: undefined,
    tickets: true,
    fingerprints: false,
    handshakeTimeoutMs: 20_000,
    maxHandshakes: 1000,
    ...more,
  }
}

export function clientOptions(more: Partial<TlsClientOptions> = {}): TlsClientOptions {
  return { verify: { authorities: SHOP.cert, name: 'shop.test' }, serverName: 'shop.test', certificate: undefined, ...COMMON, ...more }
}

/** A witness that speaks TLS. */
export interface SecureWitness extends Witness {
  readonly socket: TLSSocket
}

/** Begins to connect over TLS by node:tls; failures are the witness's `error`. */
export function dialSecure(t: TestContext, address: SocketAddress, options: ConnectionOptions = {}): SecureWitness {
  const { host, port } = address as { host: string; port: number }
  const socket = connect({ host, port, servername: 'shop.test', ca: SHOP.cert, ...options })
  socket.allowHalfOpen = true
  t.after(() => socket.destroy())
  return new Witness(socket) as SecureWitness
}

/** The same, once the handshake is done. */
export async function secureWitness(t: TestContext, address: SocketAddress, options: ConnectionOptions = {}): Promise<SecureWitness> {
  const one = dialSecure(t, address, options)
  await new Promise<void>((resolve, reject) => {
    one.socket.once('secureConnect', resolve)
    one.socket.once('error', reject)
  })
  return one
}

export interface SecureWitnessServer {
  readonly address: SocketAddress
  /** Resolves with the connection of that number, counted from 0, when it is there. */
  connection(index: number): Promise<SecureWitness>
}

/** A server of node:tls for shop.test. */
export async function secureWitnessServer(t: TestContext, options: TlsOptions = {}): Promise<SecureWitnessServer> {
  const sockets: SecureWitness[] = []
  const server = createServer({ cert: SHOP.cert, key: SHOP.key, allowHalfOpen: true, ...options } as TlsOptions, (socket) => {
    sockets.push(new Witness(socket) as SecureWitness)
    server.emit('witness')
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const { socket } of sockets) socket.destroy()
  })
  const { port } = server.address() as AddressInfo
  const connection = async (index: number): Promise<SecureWitness> => {
    while (sockets.length <= index) await once(server, 'witness')
    return sockets[index]
  }
  return { address: { family: 4, host: '127.0.0.1', port }, connection }
}
