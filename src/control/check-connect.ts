import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, connect as connectTls } from 'node:tls'
import type { CheckConnect, CheckSocket, CheckSocketEvents, CheckTarget } from '../pool/index.ts'
import { introduceDatagram } from '../proxy/index.ts'

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable',
  ENOENT: 'no such socket',
  EACCES: 'permission denied',
  EPIPE: 'connection closed',
}

/** Headers of the PROXY protocol by which a balancer speaks for itself: versions 1 and 2. */
const UNKNOWN_LINE = Buffer.from('PROXY UNKNOWN\r\n')
const LOCAL_HEADER = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex')
const NOTHING = new Uint8Array(0)

/** Connections for active checks, over node:net, node:tls and node:dgram: a few a second, in the control thread. */
export const checkConnect: CheckConnect = (target, events) => {
  return target.transport === 'udp' ? new CheckDatagrams(target, events) : new CheckConnection(target, events)
}

class CheckConnection implements CheckSocket {
  readonly #target: CheckTarget
  readonly #events: CheckSocketEvents
  readonly #plain: Socket
  /** `#plain`, or TLS on top of it. */
  #socket: Socket

  constructor(target: CheckTarget, events: CheckSocketEvents) {
    this.#target = target
    this.#events = events
    const { address, localPort } = target
    this.#plain = connectTcp(
      address.family === 'unix' ? { path: address.path } : { host: address.host, port: address.port, localPort, noDelay: true },
    )
    this.#socket = this.#plain
    this.#plain.once('connect', () => {
      if (target.proxyProtocol !== undefined) this.#plain.write(target.proxyProtocol === 1 ? UNKNOWN_LINE : LOCAL_HEADER)
      if (target.transport === 'tls') this.secure()
      else events.opened()
    })
    this.#attach(this.#plain)
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  secure(): void {
    release(this.#plain)
    try {
      this.#socket = connectTls({ ...tlsOptions(this.#target), socket: this.#plain })
    } catch (error) {
      queueMicrotask(() => this.#fail(error as NodeJS.ErrnoException))
      return
    }
    this.#socket.once('secureConnect', () => this.#events.opened())
    this.#attach(this.#socket)
  }

  end(): void {
    this.#socket.end()
  }

  close(): void {
    release(this.#socket)
    release(this.#plain)
    // A check leaves no TIME_WAIT behind: there may be thousands a minute. Only plain TCP that stands can be reset; Node 24
    // crashes when that is done beneath its TLS.
    const isResettable = this.#socket === this.#plain && this.#target.address.family !== 'unix' && !this.#plain.connecting
    if (isResettable) this.#plain.resetAndDestroy()
    else this.#socket.destroy()
  }

  #attach(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => this.#events.received(bytes))
    socket.once('end', () => this.#events.ended())
    socket.once('error', (error: NodeJS.ErrnoException) => this.#fail(error))
  }

  #fail(error: NodeJS.ErrnoException): void {
    this.#events.failed(reasonOf(error))
  }
}

/** A connected datagram socket, so that "port unreachable" comes back as an error. */
class CheckDatagrams implements CheckSocket {
  readonly #socket: DatagramSocket
  #isClosed = false

  #introduction: Uint8Array = NOTHING

  constructor({ address, proxyProtocol }: CheckTarget, events: CheckSocketEvents) {
    this.#socket = createSocket(address.family === 6 ? 'udp6' : 'udp4')
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      events.failed(error.code === 'ECONNREFUSED' ? 'port unreachable' : reasonOf(error))
    })
    this.#socket.on('message', (bytes) => events.received(bytes))
    if (address.family === 'unix') process.nextTick(() => events.failed('datagrams need an IP address'))
    else {
      // Not as a callback: that is called where there is no route, too.
      this.#socket.once('connect', () => {
        if (proxyProtocol === 2) this.#introduction = this.#introduce()
        events.opened()
      })
      this.#socket.connect(address.port, address.host)
    }
  }

  write(bytes: Uint8Array): void {
    // An error comes as an event too.
    this.#socket.send([this.#introduction, bytes], () => {})
  }

  /** Servers drop datagrams with LOCAL (Knot DNS 3.2): the check names itself as the client. */
  #introduce(): Uint8Array {
    const [own, server] = [this.#socket.address(), this.#socket.remoteAddress()]
    return introduceDatagram({ host: own.address, port: own.port }, { host: server.address, port: server.port })
  }

  secure(): void {
    throw new Error('datagrams have no TLS')
  }

  end(): void {}

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.removeAllListeners()
    this.#socket.on('error', () => {})
    this.#socket.close()
  }
}

/** Reads the files anew each time, so that a renewed file counts without a reload. Throws where there are none. */
function tlsOptions({ address, tls, alpn }: CheckTarget): ConnectionOptions {
  return {
    servername: tls?.serverName || undefined,
    ALPNProtocols: alpn.length === 0 ? undefined : [...alpn],
    rejectUnauthorized: tls?.verify ?? false,
    ca: tls?.ca && readFileSync(tls.ca),
    cert: tls?.certificate && readFileSync(tls.certificate.cert),
    key: tls?.certificate && readFileSync(tls.certificate.key),
    checkServerIdentity: (_, certificate) => checkServerIdentity(tls?.name ?? (address.family === 'unix' ? '' : address.host), certificate),
  }
}

/** What happens on it now is of no interest any more. */
function release(socket: Socket): void {
  socket.removeAllListeners()
  socket.on('error', () => {})
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.syscall === 'open' && error.path !== undefined) return `${error.path} cannot be read: ${error.code}`
  // Node adds advice about its own options behind a semicolon.
  return REASONS[error.code ?? ''] ?? error.message.split(';')[0]
}
