import { duplexPair } from 'node:stream'
import type { TestContext } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import type { SocketAddress } from '../../src/core/index.ts'
import { type Witness, witness } from './net.ts'
import { SHOP } from './tls.ts'

/** A TLS client whose ciphertext is sent on by hand, in whatever pieces a test wants. */
export interface SlicedClient {
  /** The side of the client that takes and gives plaintext. */
  readonly socket: TLSSocket
  /** The connection to the engine. */
  readonly wire: Witness
  /** Encrypts that many bytes of `source` as one record each, and returns the ciphertext that would be sent. */
  records(source: Uint8Array, lengths: readonly number[]): Promise<Buffer>
  /** Sends a piece, in one call. */
  send(piece: Uint8Array): Promise<void>
}

/** Connects; the handshake is done and went by itself. */
export async function slicedClient(t: TestContext, address: SocketAddress): Promise<SlicedClient> {
  const wire = await witness(t, address)
  const [inner, outer] = duplexPair()
  let isByHand = false
  const kept: Buffer[] = []
  outer.on('data', (chunk: Buffer) => {
    if (isByHand) kept.push(chunk)
    else wire.socket.write(chunk)
  })
  wire.read((chunk) => outer.write(chunk))
  const socket = connect({ socket: inner, servername: 'shop.test', ca: SHOP.cert })
  t.after(() => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
  })
  // Its last words of the handshake have left when an answer could have come.
  await new Promise((resolve) => setImmediate(resolve))
  isByHand = true
  const write = (bytes: Uint8Array) => new Promise<void>((resolve) => socket.write(bytes, () => resolve()))
  return {
    socket,
    wire,
    async records(source, lengths) {
      let at = 0
      for (const length of lengths) {
        await write(source.subarray(at, at + length))
        at += length
      }
      await new Promise((resolve) => setImmediate(resolve))
      return Buffer.concat(kept.splice(0))
    },
    send: (piece) => new Promise<void>((resolve) => wire.socket.write(piece, () => resolve())),
  }
}

/** Shakes hands with a ClientHello that `cut` has taken apart, and returns the subject of the certificate that it was answered with. */
export async function helloInPieces(
  t: TestContext,
  address: SocketAddress,
  servername: string,
  cut: (hello: Buffer) => readonly Uint8Array[],
): Promise<string | undefined> {
  const wire = await witness(t, address)
  wire.socket.setNoDelay(true)
  const [inner, outer] = duplexPair()
  let isFirst = true
  const send = (piece: Uint8Array) => new Promise<void>((resolve) => wire.socket.write(piece, () => setImmediate(resolve)))
  outer.on('data', (chunk: Buffer) => {
    if (isFirst) void cut(chunk).reduce((before, piece) => before.then(() => send(piece)), Promise.resolve())
    else wire.socket.write(chunk)
    isFirst = false
  })
  wire.read((chunk) => outer.write(chunk))
  const socket = connect({ socket: inner, servername, rejectUnauthorized: false })
  t.after(() => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
    outer.once('close', () => reject(new Error('closed')))
  })
  return socket.getPeerX509Certificate()?.subject
}
