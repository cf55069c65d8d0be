import { createSocket, type Socket } from 'node:dgram'
import { connect } from 'node:net'
import type { SocketAddress } from '../../core/index.ts'
import type { DnsTransport } from '../../pool/index.ts'

/** Questions to resolvers over node:dgram and node:net: a few a second, in the control thread. */
export const dnsTransport: DnsTransport = {
  udp(server, query, timeoutMs, accepts) {
    if (server.family === 'unix') return Promise.reject(new Error('a resolver has an IP address'))
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    // A socket for each question: the kernel chooses another port each time, which a forger has to guess beside the id. Connected, it
    // takes datagrams of this resolver only, and hears when nobody listens there.
    const socket: Socket = createSocket(server.family === 6 ? 'udp6' : 'udp4')
    socket.unref()
    const timer = setTimeout(() => reject(silence(timeoutMs)), timeoutMs)
    socket.on('error', (error) => reject(inWords(error)))
    socket.on('message', (answer) => {
      try {
        if (accepts(answer)) resolve(answer)
      } catch (error) {
        // Whatever a datagram does to the parser, it ends this question and not the process.
        reject(error as Error)
      }
    })
    // Not as a callback: that is called where there is no route, too.
    socket.once('connect', () => socket.send(query))
    socket.connect(server.port, server.host)
    return promise.finally(() => {
      clearTimeout(timer)
      socket.close()
    })
  },

  tcp(server, query, timeoutMs) {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    const socket = connect(whereTo(server))
    socket.unref()
    const timer = setTimeout(() => reject(silence(timeoutMs)), timeoutMs)
    let received = Buffer.alloc(0)
    socket.on('error', (error) => reject(inWords(error)))
    socket.on('end', () => reject(new Error('the connection ended before the answer')))
    socket.on('connect', () => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(query.length)
      socket.write(Buffer.concat([length, query]))
    })
    socket.on('data', (bytes: Buffer) => {
      // RFC 1035 §4.2.2: two bytes of length, and so never more than 64 KiB.
      received = Buffer.concat([received, bytes])
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0))
        resolve(received.subarray(2, 2 + received.readUInt16BE(0)))
    })
    return promise.finally(() => {
      clearTimeout(timer)
      socket.destroy()
    })
  },
}

function whereTo(server: SocketAddress): { path: string } | { host: string; port: number } {
  return server.family === 'unix' ? { path: server.path } : { host: server.host, port: server.port }
}

function silence(timeoutMs: number): Error {
  return new Error(`no answer within ${timeoutMs} ms`)
}

function inWords(error: NodeJS.ErrnoException): Error {
  return error.code === 'ECONNREFUSED' ? new Error('connection refused') : error
}
