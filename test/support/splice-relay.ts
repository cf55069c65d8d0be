import type { TestContext } from 'node:test'
import type { SocketAddress } from '../../src/core/index.ts'
import type { Connection } from '../../src/engine/index.ts'
import { Sequence } from './bytes.ts'
import { type Backend, type EngineUnderTest, engineFor, type Recorder } from './engine.ts'
import { type Witness, witness, witnessServer } from './net.ts'

/** A client and a server of node:net, and between them a relay that splices when it is told to and copies else. */
export interface SpliceRelay {
  readonly test: EngineUnderTest
  readonly client: Witness
  readonly server: Witness
  /** The client's connection, and the one to the server. */
  readonly accepted: Recorder
  readonly connected: Recorder
  readonly source: Connection
  readonly target: Connection
  /** Bytes that the observer was told of, from the client's side. */
  readonly spliced: number
  splice(from: Connection, to: Connection, bytes?: number): boolean
  /** Resolves when bytes wait for a server that does not read, and no more come. */
  held(): Promise<void>
  /** Has the client send until bytes are held; resolves with how many it sent. */
  fill(): Promise<number>
}

export async function startSpliceRelay(t: TestContext, backend: Backend, address: SocketAddress): Promise<SpliceRelay> {
  const test = await engineFor(t, backend)
  const origin = await witnessServer(t)
  let spliced = 0
  const { address: bound, accepted, count } = await test.listen({}, { address })
  const client = await witness(t, bound)
  await count(1)
  const connected = test.connect(origin.address)
  const server = await origin.connection(0)
  const source = accepted[0].connection as Connection
  const target = connected.connection as Connection
  await connected.until(() => connected.count('opened') === 1)
  join(accepted[0], target)
  join(connected, source)
  const held = async () => {
    for (let before = -1, still = 0; still < 3 || target.queuedBytes === 0; ) {
      await test.turns(20)
      still = before === source.receivedBytes ? still + 1 : 0
      before = source.receivedBytes
    }
  }
  return {
    test,
    client,
    server,
    accepted: accepted[0],
    connected,
    source,
    target,
    get spliced() {
      return spliced
    },
    splice: (from, to, bytes = Infinity) =>
      from.splice(to, bytes, {
        spliced(connection, moved) {
          if (connection === source) spliced += moved
        },
      }),
    held,
    async fill() {
      const check = new Sequence()
      let sent = 0
      while (target.queuedBytes === 0) {
        const piece = Buffer.alloc(64 * 1024)
        check.fill(piece)
        sent += piece.length
        if (!client.socket.write(piece)) await test.turns(5)
      }
      await test.turns(20)
      return sent
    },
  }
}

/** What arrives at one goes to the other, FIN too, and one that is slow holds the other back. */
function join(from: Recorder, to: Connection): void {
  from.keepsBytes = false
  from.does.received = (connection, start, end) => {
    to.send(start, end)
    if (to.isCongested) connection.pause()
  }
  from.does.ended = () => to.end()
  from.does.drained = () => to.resume()
}
