import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { Cleanup } from './cleanup.ts'

export interface FakeAgent {
  readonly port: number
  /** What it says from now on. */
  say(what: string | object): void
  /** Resolves once it has been asked `times` more. */
  asked(times?: number): Promise<void>
}

/** An agent that says what the test wants: a line of text, or a JSON document over HTTP. */
export async function fakeAgent(t: Cleanup, first: string | object): Promise<FakeAgent> {
  let what = first
  const server: Server =
    typeof first === 'string'
      ? createServer((socket) => {
          socket.on('error', () => {})
          socket.end(`${what}\n`, () => server.emit('asked'))
        })
      : createHttpServer((_request, response) => {
          response.end(JSON.stringify(what), () => server.emit('asked'))
        })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void server.close())
  return {
    port: (server.address() as AddressInfo).port,
    say: (next) => {
      what = next
    },
    asked: async (times = 1) => {
      for (let i = 0; i < times; i++) await once(server, 'asked')
    },
  }
}
