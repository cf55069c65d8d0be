import { ClientAddress, type SocketAddress } from '../core/index.ts'
import type { CloseReason } from './connection.ts'

/** Where a datagram comes from or goes to: made once and refilled. */
export class Endpoint {
  readonly address = new ClientAddress()
  port = 0
  /** Interface of a link-local IPv6 address; 0 for none. */
  scope = 0
  /** The own address that a datagram was sent to, which its answer has to come from; family 0 where the socket has only one, or it is not known. */
  readonly local = new ClientAddress()
  localInterface = 0

  copy(other: Endpoint): void {
    this.address.copy(other.address)
    this.port = other.port
    this.scope = other.scope
    this.local.copy(other.local)
    this.localInterface = other.localInterface
  }
}

/**
 * What a room implements to own a socket for datagrams. Called from the engine's loop, never from inside a call that the room makes
 * on the socket, and never after close(). An exception is reported, and the socket goes on.
 */
export interface DatagramHandler {
  /**
   * A datagram arrived: engine.memory[start, end), which may be empty, inside one block; `socket.source` is who sent it. Valid until
   * this returns, unless the handler calls engine.blocks.hold(start) or passes it on with send().
   */
  received(socket: DatagramSocket, start: number, end: number): void
  /** A connected socket was told that its peer cannot be reached (`refused`: no such port). It goes on. */
  failed(socket: DatagramSocket, reason: CloseReason): void
}

/**
 * A socket for datagrams, bound to an address or connected to one. Sending never waits: what the kernel has no room for is dropped
 * and counted (EngineCounters.datagramsDropped). Datagrams that are longer than a block, less 128 bytes, are dropped too.
 */
export interface DatagramSocket {
  handler: DatagramHandler
  /** The bound address, with the port that the kernel chose where 0 was asked for. */
  readonly local: SocketAddress
  /** Who sent the datagram that received() hands over; valid meanwhile. Not filled in for a connected socket. */
  readonly source: Endpoint
  /** Sends engine.memory[start, end), which lies in one block, to the peer of a connected socket. */
  send(start: number, end: number): void
  /** The same to anybody, from a socket that is not connected. `to` is `source`, or does not change until the turn is over. */
  sendTo(start: number, end: number, to: Endpoint): void
  /** Sends what was given to it before and closes. Nothing is called afterwards. */
  close(): void
}
