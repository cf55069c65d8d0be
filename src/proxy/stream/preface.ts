import { ClientHelloReader, HELLO } from './client-hello.ts'
import { openRoute } from './open.ts'
import { STREAM_PHASE, type Stream } from './stream.ts'
import { STREAM_END } from './termination.ts'

/**
 * The first step of a stream: what routes, keys and headers need to know of its beginning. Where nobody asks, no byte is looked at,
 * and the server is connected to at once.
 */
export function beginPreface(stream: Stream): void {
  const { site, client, proxied } = stream
  const { secure } = client
  if (!site.needsHello) openRoute(stream)
  else if (secure !== null) {
    stream.serverName = secure.serverName
    if (secure.protocol !== '') stream.protocols = [secure.protocol]
    openRoute(stream)
  } else if (proxied !== null && proxied.authority.length > 0) {
    // TLS has ended in the balancer in front, which tells what it was.
    stream.serverName = text(proxied.authority).toLowerCase()
    if (proxied.alpn.length > 0) stream.protocols = [text(proxied.alpn)]
    openRoute(stream)
  } else {
    stream.hello = new ClientHelloReader()
    stream.worker.engine.timers.arm(stream.timer, site.timeouts.prefaceMs)
  }
}

/** More of the client's first bytes, which the stash has already. */
export function readPreface(stream: Stream, start: number, end: number): void {
  const { hello, worker } = stream
  if (hello === null) return
  const result = hello.read(worker.engine.memory, start, end)
  if (result === HELLO.INCOMPLETE) return
  stream.hello = null
  worker.engine.timers.disarm(stream.timer)
  if (result === HELLO.COMPLETE) {
    stream.serverName = hello.serverName
    stream.protocols = hello.protocols
  } else if (result !== HELLO.NOT_TLS) {
    stream.abort(STREAM_END.PREFACE_INVALID)
    return
  }
  openRoute(stream)
}

/** The client will send no more. */
export function endPreface(stream: Stream): void {
  if (stream.phase === STREAM_PHASE.OPENING && stream.hello !== null) stream.abort(STREAM_END.CLIENT_ABORTED)
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
