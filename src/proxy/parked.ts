import type { CloseReason, Connection, ConnectionHandler, Engine } from '../engine/index.ts'
import { SliceQueue } from './slice-queue.ts'

/** Who keeps parked connections. */
export interface ParkingLot {
  /** The connection is over before it was its turn. */
  gone(parked: Parked): void
}

/**
 * A connection that was accepted when its listener was full: the kernel had handed it over already. Nothing is read of it until there is a
 * place; what came before it could be paused is kept.
 */
export class Parked implements ConnectionHandler {
  readonly connection: Connection
  readonly #lot: ParkingLot
  readonly #stash: SliceQueue
  #hasEnded = false

  constructor(lot: ParkingLot, connection: Connection, engine: Engine) {
    this.#lot = lot
    this.connection = connection
    this.#stash = new SliceQueue(engine.blocks)
    connection.pause()
  }

  opened(): void {}

  received(_connection: Connection, start: number, end: number): void {
    this.#stash.push(start, end)
  }

  ended(): void {
    this.#hasEnded = true
  }

  drained(): void {}

  closed(_connection: Connection, _reason: CloseReason): void {
    this.#stash.clear()
    this.#lot.gone(this)
  }

  /** Hands the connection over to its owner. */
  leave(owner: ConnectionHandler): void {
    const { connection } = this
    connection.handler = owner
    connection.resume()
    for (; this.#stash.count > 0; this.#stash.consume(this.#stash.end)) owner.received(connection, this.#stash.start, this.#stash.end)
    if (this.#hasEnded) owner.ended(connection)
  }
}
