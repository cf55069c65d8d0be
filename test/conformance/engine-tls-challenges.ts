import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectPlain, type Socket } from 'node:net'
import { it } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { makeSelfSigned } from '../../src/control/self-signed.ts'
import type { SocketAddress } from '../../src/core/index.ts'
import { type Backend, engineFor } from '../support/engine.ts'
import { OTHER, SHOP, serverOptions } from '../support/tls.ts'

const ANSWER = makeSelfSigned(['answer.test'])
const CHALLENGES = new Map([['shop.test', { chain: ANSWER.cert, key: ANSWER.key }]])
const AUTHORITY = { ALPNProtocols: ['acme-tls/1'] }

/** Handshakes of authorities that look whether a name is ours (RFC 8737). */
export function tlsChallenges(backend: Backend): void {
  it('an authority gets the answer for a name that is looked at, and every other client the certificate', async (t) => {
    const test = await engineFor(t, backend)
    const tls = test.engine.tlsServer(serverOptions({ protocols: ['http/1.1'] }))
    const { address, accepted } = await test.listen({}, { tls })
    tls.challenge(CHALLENGES)
    assert.equal(await shown(address, AUTHORITY), 'answer.test')
    await test.until(() => accepted.length === 1)
    assert.equal(accepted[0].connection?.secure?.isChallenge, true)
    assert.equal(accepted[0].connection?.secure?.protocol, 'acme-tls/1')
    assert.equal(await shown(address, {}), 'shop.test')
    assert.equal(await shown(address, { ALPNProtocols: ['acme-tls/1', 'http/1.1'] }), 'shop.test')
    await assert.rejects(shown(address, { ...AUTHORITY, servername: 'other.test' }), /no application protocol/)
    await test.until(() => accepted.length === 3)
    assert.deepEqual(
      accepted.slice(1).map(({ connection }) => connection?.secure?.isChallenge),
      [false, false],
    )
    tls.challenge(new Map())
    await assert.rejects(shown(address, AUTHORITY), /no application protocol/)
  })

  it('an authority is not asked for a certificate, and what it agreed on is of no use without one', async (t) => {
    const test = await engineFor(t, backend)
    const clientCertificates = { mode: 'require', authorities: SHOP.cert } as const
    const tls = test.engine.tlsServer(serverOptions({ protocols: ['http/1.1'], clientCertificates }))
    const { address, accepted } = await test.listen({ received: (connection, start, end) => connection.send(start, end) }, { tls })
    tls.challenge(CHALLENGES)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const sessions: Buffer[] = []
      const socket = dial(address, { ...AUTHORITY, maxVersion })
      socket.on('session', (session: Buffer) => sessions.push(session))
      await once(socket, 'secureConnect')
      socket.write('?')
      await once(socket, 'data')
      const session = sessions.at(-1) ?? socket.getSession()
      socket.destroy()
      const known = accepted.length
      const again = dial(address, { maxVersion, session, ALPNProtocols: ['http/1.1'] })
      await once(again, 'error')
      again.destroy()
      assert.equal(accepted.length, known, maxVersion)
    }
  })

  it('a ClientHello that comes byte by byte gets the certificate of its name', async (t) => {
    const test = await engineFor(t, backend)
    const certificates = [SHOP, OTHER].map(({ cert, key }) => ({ chain: cert, key }))
    const { address } = await test.listen({}, { tls: test.engine.tlsServer(serverOptions({ certificates })) })
    const { port } = address as { port: number }
    const transport = connectPlain({ port, host: '127.0.0.1', noDelay: true })
    t.after(() => void transport.destroy())
    await once(transport, 'connect')
    const socket = connect({ socket: inPieces(transport), servername: 'other.test', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    assert.equal(socket.getPeerCertificate().subject.CN, 'other.test')
    socket.destroy()
  })
}

function dial(address: SocketAddress, options: ConnectionOptions): TLSSocket {
  const { port } = address as { port: number }
  const socket = connect({ port, host: '127.0.0.1', servername: 'shop.test', rejectUnauthorized: false, ...options })
  // At the end of the test the engine resets what is left.
  socket.on('error', () => {})
  return socket
}

/** The name that is shown in one handshake. */
async function shown(address: SocketAddress, options: ConnectionOptions): Promise<string> {
  const socket = dial(address, options)
  await once(socket, 'secureConnect')
  const { CN } = socket.getPeerCertificate().subject
  // Not destroyed: the other side's handshake is not over yet.
  socket.end()
  return String(CN)
}

/** The first write goes out in pieces, each in a turn of its own. */
function inPieces(transport: Socket): Socket {
  const write = transport.write.bind(transport)
  let isFirst = true
  transport.write = ((bytes: Buffer, ...rest: []) => {
    if (!isFirst) return write(bytes, ...rest)
    isFirst = false
    const next = (at: number): void => {
      if (at >= bytes.length) return
      write(bytes.subarray(at, at + 40), () => setImmediate(next, at + 40))
    }
    next(0)
    return true
  }) as typeof transport.write
  return transport
}
