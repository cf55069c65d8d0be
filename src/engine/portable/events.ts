import { type OnReadOpts, Socket } from 'node:net'
import type { PortableConnection } from './connection.ts'

/**
 * Wires a socket's events to its connection. The listeners are shared and find the connection in a property of the socket,
 * because a closure for each event of each connection would be memory and time for every accept.
 */
export interface OwnedSocket extends Socket {
  evenerConnection: PortableConnection
}

const { push } = Socket.prototype
const NOTHING = Buffer.alloc(0)

export function listenTo(socket: Socket, connection: PortableConnection): void {
  const owned = socket as OwnedSocket
  owned.evenerConnection = connection
  owned.on('end', onEnd)
  owned.on('error', onError)
  owned.on('close', onClose)
}

/** For an accepted socket, which cannot be given a buffer of ours. It must be paused, and is resumed when its owner is known. */
export function listenToData(socket: Socket): void {
  socket.on('data', onData)
  socket.push = onPush
}

/** Undoes listenTo() and listenToData(). */
export function stopListening(socket: Socket): void {
  socket.off('end', onEnd)
  socket.off('error', onError)
  socket.off('close', onClose)
  socket.off('data', onData)
  Reflect.deleteProperty(socket, 'push')
}

export function listenToConnect(socket: Socket): void {
  socket.on('connect', onConnect)
}

/** For a TLSSocket, whose stream stays as it is. */
export function listenToPlaintext(socket: Socket): void {
  socket.on('data', onData)
}

export function listenToHandshake(socket: Socket): void {
  socket.on('secureConnect', onConnect)
}

/** Has Node read into `buffer`, without a stream between. */
export function readInto(buffer: Buffer, connection: PortableConnection): OnReadOpts {
  return {
    buffer,
    callback: (length) => {
      connection.read(buffer, length)
      return true
    },
  }
}

function onConnect(this: Socket): void {
  ;(this as OwnedSocket).evenerConnection.connected()
}

function onData(this: Socket, chunk: Buffer): void {
  ;(this as OwnedSocket).evenerConnection.read(chunk, chunk.length)
}

/**
 * Node pushes what it has read into the stream, which emits it as 'data' and asks itself in the next tick whether to read on. While
 * the stream flows and is empty the chunk needs none of that. 4 % of a forwarded request; bench/engine/forwarder.ts.
 */
function onPush(this: Socket, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (!this.readableFlowing || this.readableLength > 0 || !(chunk instanceof Uint8Array)) return push.call(this, chunk, encoding)
  ;(this as OwnedSocket).evenerConnection.read(chunk, chunk.length)
  if (this.readableFlowing) return true
  // Paused meanwhile: nothing clears the stream's mark that a read is under way, but an empty push.
  push.call(this, NOTHING)
  return false
}

function onEnd(this: Socket): void {
  ;(this as OwnedSocket).evenerConnection.peerEnded()
}

function onError(this: Socket, error: NodeJS.ErrnoException): void {
  ;(this as OwnedSocket).evenerConnection.failed(error)
}

function onClose(this: Socket): void {
  ;(this as OwnedSocket).evenerConnection.gone('done')
}
