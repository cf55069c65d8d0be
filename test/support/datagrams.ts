import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Cleanup } from './cleanup.ts'

/** A socket of node:dgram that waits for what it gets. */
export class Peer {
  readonly socket: Socket
  readonly got: string[] = []

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('message', (bytes) => {
      this.got.push(bytes.toString('latin1'))
      socket.emit('got')
    })
  }

  get address(): string {
    const { address, port, family } = this.socket.address()
    return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
  }

  async gets(count: number): Promise<readonly string[]> {
    while (this.got.length < count) await once(this.socket, 'got')
    return this.got
  }
}

export async function peer(t: Cleanup, host = '127.0.0.1', port = 0): Promise<Peer> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.bind(port, host)
  await once(socket, 'listening')
  t.after(() => {
    try {
      socket.close()
    } catch {
      // The test has closed it.
    }
  })
  return new Peer(socket)
}

/** A server that answers with its name and what it got, `answers` times. */
export async function named(t: Cleanup, name: string, answers = 1, host = '127.0.0.1'): Promise<Peer> {
  const server = await peer(t, host)
  server.socket.on('message', (bytes, from) => {
    for (let i = 0; i < answers; i++) server.socket.send(`${name} ${bytes}`, from.port, from.address)
  })
  return server
}

/** Sends, and waits for the next datagram that comes. */
export async function ask(client: Peer, port: number, text: string, host = '127.0.0.1'): Promise<string> {
  const before = client.got.length
  client.socket.send(text, port, host)
  return (await client.gets(before + 1))[before]
}
