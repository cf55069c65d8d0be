import assert from 'node:assert/strict'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { it, type TestContext } from 'node:test'
import { EvenerError, formatIp, type SocketAddress } from '../../src/core/index.ts'
import { type DatagramHandler, type DatagramSocket, Endpoint } from '../../src/engine/index.ts'
import { type Backend, type EngineUnderTest, engineFor, LOOPBACK } from '../support/engine.ts'
import { seededRandom } from '../support/random.ts'

/** A socket of node:dgram, with what it got. */
class Peer {
  readonly socket: Socket
  readonly got: { readonly bytes: Buffer; readonly from: RemoteInfo }[] = []

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('message', (bytes, from) => {
      this.got.push({ bytes, from })
      socket.emit('got')
    })
  }

  get port(): number {
    return this.socket.address().port
  }

  get address(): SocketAddress {
    const { address, port, family } = this.socket.address()
    return { family: family === 'IPv6' ? 6 : 4, host: address, port }
  }

  send(bytes: string | Uint8Array, to: SocketAddress): void {
    if (to.family !== 'unix') this.socket.send(bytes, to.port, to.host)
  }

  async gets(count: number): Promise<string[]> {
    while (this.got.length < count) await once(this.socket, 'got')
    return this.got.map(({ bytes }) => bytes.toString('latin1'))
  }
}

async function peer(t: TestContext, host = '127.0.0.1'): Promise<Peer> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, host)
  await once(socket, 'listening')
  t.after(() => socket.close())
  return new Peer(socket)
}

/** Sends back what it gets, to who sent it. */
function echo(): DatagramHandler & { count: number } {
  return {
    count: 0,
    received(socket, start, end) {
      this.count++
      socket.sendTo(start, end, socket.source)
    },
    failed() {},
  }
}

/** Keeps what it gets. */
function recorder(test: EngineUnderTest) {
  const got: string[] = []
  const sources: string[] = []
  const failures: string[] = []
  const handler: DatagramHandler = {
    received(socket, start, end) {
      got.push(test.bytes(start, end).toString('latin1'))
      sources.push(`${formatIp(socket.source.address)} ${socket.source.port}`)
    },
    failed(_socket, reason) {
      failures.push(reason)
    },
  }
  return { got, sources, failures, handler }
}

/** Puts bytes into a block and sends them. */
function send(test: EngineUnderTest, socket: DatagramSocket, bytes: string | Uint8Array, to?: Endpoint): void {
  const { blocks, memory } = test.engine
  const source = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
  const at = blocks.take()
  assert.notEqual(at, -1)
  memory.set(source, at)
  if (to === undefined) socket.send(at, at + source.length)
  else socket.sendTo(at, at + source.length, to)
  blocks.release(at)
}

/** Datagrams: bound and connected sockets against peers of node:dgram. */
export function datagrams(backend: Backend): void {
  it('tells who sent a datagram, and answers to there', async (t) => {
    const test = await engineFor(t, backend)
    const socket = await test.engine.bindDatagrams({ address: LOOPBACK }, echo())
    const [one, two] = [await peer(t), await peer(t)]
    one.send('from one', socket.local)
    two.send('from two', socket.local)
    assert.deepEqual(await one.gets(1), ['from one'])
    assert.deepEqual(await two.gets(1), ['from two'])
    assert.equal(one.got[0].from.port, socket.local.family === 'unix' ? 0 : socket.local.port)
    const record = recorder(test)
    socket.handler = record.handler
    one.send('again', socket.local)
    await test.until(() => record.got.length === 1)
    assert.deepEqual(record.sources, [`127.0.0.1 ${one.port}`])
  })

  it('does the same over IPv6', async (t) => {
    const test = await engineFor(t, backend)
    const socket = await test.engine.bindDatagrams({ address: { family: 6, host: '::1', port: 0 } }, echo())
    const one = await peer(t, '::1')
    one.send('six', socket.local)
    assert.deepEqual(await one.gets(1), ['six'])
    assert.equal(one.got[0].from.address, '::1')
  })

  it('sends from a connected socket to its peer, and hears nobody else', async (t) => {
    const test = await engineFor(t, backend)
    const [server, stranger] = [await peer(t), await peer(t)]
    const record = recorder(test)
    const socket = test.engine.connectDatagrams(server.address, record.handler)
    assert.ok(socket !== undefined)
    send(test, socket, 'question')
    assert.deepEqual(await server.gets(1), ['question'])
    const { port } = server.got[0].from
    stranger.send('lies', { family: 4, host: '127.0.0.1', port })
    server.send('answer', { family: 4, host: '127.0.0.1', port })
    await test.until(() => record.got.length > 0)
    assert.deepEqual(record.got, ['answer'])
  })

  it('a peer that may not be connected to, as one without a route, costs its own datagrams and nothing else', async (t) => {
    const test = await engineFor(t, backend)
    const server = await peer(t)
    const record = recorder(test)
    const nowhere = test.engine.connectDatagrams({ family: 4, host: '255.255.255.255', port: 9 }, record.handler)
    if (nowhere !== undefined) send(test, nowhere, 'lost')
    const socket = test.engine.connectDatagrams(server.address, record.handler) as DatagramSocket
    send(test, socket, 'question')
    assert.deepEqual(await server.gets(1), ['question'])
    nowhere?.close()
  })

  it('keeps datagrams apart: each is one, whole, in order, also an empty one', async (t) => {
    const test = await engineFor(t, backend)
    const server = await peer(t)
    const record = recorder(test)
    const socket = test.engine.connectDatagrams(server.address, record.handler) as DatagramSocket
    const sent = ['a', '', 'b'.repeat(1400), '', 'c'.repeat(9000), 'd']
    for (const bytes of sent) send(test, socket, bytes)
    assert.deepEqual(await server.gets(sent.length), sent)
    const { port } = server.got[0].from
    for (const bytes of sent) server.send(bytes, { family: 4, host: '127.0.0.1', port })
    await test.until(() => record.got.length === sent.length)
    assert.deepEqual(record.got, sent)
    const bound = await test.engine.bindDatagrams({ address: LOOPBACK }, echo())
    const client = await peer(t)
    for (const bytes of sent) client.send(bytes, bound.local)
    assert.deepEqual(await client.gets(sent.length), sent)
  })

  it('datagrams that go together stay what they are: whole, in order, to who they are for', async (t) => {
    const test = await engineFor(t, backend)
    const [one, two] = await Promise.all([peer(t), peer(t)])
    const record = recorder(test)
    const connected = test.engine.connectDatagrams(one.address, record.handler) as DatagramSocket
    const bound = await test.engine.bindDatagrams({ address: LOOPBACK }, record.handler)
    const everywhere = await test.engine.bindDatagrams({ address: WILDCARD }, record.handler)
    const to = new Endpoint()
    to.address.setIPv4(0x7f000001)
    to.port = two.port
    const asked = new Endpoint()
    asked.copy(to)
    asked.local.setIPv4(0x7f000021)
    const lengths = [100, 100, 100, 7, 100, 100, 101, 101, 0, 0, 5, 5, 1452, 1452, 1453, 1453, 20, ...Array<number>(40).fill(33), 1]
    const bytes = lengths.map((length, index) => String.fromCharCode(65 + (index % 26)).repeat(length))
    const turn = Promise.withResolvers<void>()
    test.engine.defer(() => {
      for (const each of bytes) {
        send(test, connected, each)
        send(test, bound, each, to)
        send(test, everywhere, each, asked)
      }
      turn.resolve()
    })
    await turn.promise
    assert.deepEqual(await one.gets(bytes.length), bytes)
    await two.gets(2 * bytes.length)
    const portOf = (socket: DatagramSocket) => (socket.local as { port: number }).port
    for (const socket of [bound, everywhere]) {
      const got = two.got.filter(({ from }) => from.port === portOf(socket))
      assert.deepEqual(
        got.map((each) => each.bytes.toString('latin1')),
        bytes,
      )
      const host = socket === everywhere && backend.kind !== 'portable' ? '127.0.0.33' : '127.0.0.1'
      assert.ok(got.every(({ from }) => from.address === host))
    }
    await test.until(() => test.engine.blocks.free >= test.idleBlocks)
  })

  it('an empty datagram lies in a block of its own, too, which may be held', async (t) => {
    const test = await engineFor(t, backend)
    const { blocks } = test.engine
    const server = await peer(t)
    const held = new Set<number>()
    let isHeldByOthers = true
    let empty = 0
    const socket = test.engine.connectDatagrams(server.address, {
      received(_socket, start, end) {
        if (start === end) {
          empty++
          isHeldByOthers &&= blocks.references(start) > 0
        } else if (!held.has(start)) {
          held.add(start)
          blocks.hold(start)
        }
      },
      failed() {},
    }) as DatagramSocket
    send(test, socket, 'hello')
    await server.gets(1)
    const to = { family: 4, host: '127.0.0.1', port: server.got[0].from.port } as const
    // Every block that the kernel may receive into is used once and given back, so that any of them is free.
    for (let i = 1; i <= 64; i++) {
      server.send('full', to)
      await test.until(() => held.size >= i || backend.kind === 'portable')
    }
    for (const start of held) blocks.release(start)
    server.send('', to)
    await test.until(() => empty === 1)
    assert.equal(isHeldByOthers, true)
  })

  it('says when there is nobody at the other end, and goes on', async (t) => {
    const test = await engineFor(t, backend)
    const gone = createSocket('udp4').bind(0, '127.0.0.1')
    await once(gone, 'listening')
    const { port } = gone.address()
    gone.close()
    await once(gone, 'close')
    const record = recorder(test)
    const socket = test.engine.connectDatagrams({ family: 4, host: '127.0.0.1', port }, record.handler) as DatagramSocket
    await test.turns(3)
    send(test, socket, 'hello?')
    await test.until(() => record.failures.length > 0)
    assert.equal(record.failures[0], 'refused')
    const back = createSocket('udp4').bind(port, '127.0.0.1')
    await once(back, 'listening')
    t.after(() => back.close())
    const arrived = once(back, 'message')
    send(test, socket, 'hello again')
    await arrived
  })

  it('gives every block back, whatever happens to many datagrams of many peers', async (t) => {
    const test = await engineFor(t, backend)
    const handler = echo()
    const socket = await test.engine.bindDatagrams({ address: LOOPBACK }, handler)
    const peers = await Promise.all(Array.from({ length: 8 }, () => peer(t)))
    const random = seededRandom(3)
    for (let round = 0; round < 40; round++) {
      for (const one of peers) one.send(Buffer.alloc(1 + Math.floor(random() * 2000), round), socket.local)
      await Promise.all(peers.map((one) => one.gets(round + 1)))
    }
    assert.equal(handler.count, 320)
    await test.until(() => test.engine.blocks.free >= test.idleBlocks)
  })

  it('what is sent on a socket that is made, used and closed at once goes out', async (t) => {
    const test = await engineFor(t, backend)
    const server = await peer(t)
    const { handler } = recorder(test)
    for (let i = 1; i <= 3; i++) {
      const socket = test.engine.connectDatagrams(server.address, handler) as DatagramSocket
      send(test, socket, 'the only one')
      socket.close()
      assert.deepEqual(await server.gets(i), Array(i).fill('the only one'))
    }
    test.engine.connectDatagrams(server.address, handler)?.close()
    await test.until(() => test.engine.blocks.free >= test.idleBlocks)
  })

  it('says nothing after close(), and what was sent before still goes out', async (t) => {
    const test = await engineFor(t, backend)
    const server = await peer(t)
    const record = recorder(test)
    const socket = test.engine.connectDatagrams(server.address, record.handler) as DatagramSocket
    send(test, socket, 'first')
    await server.gets(1)
    send(test, socket, 'last')
    socket.close()
    socket.close()
    send(test, socket, 'too late')
    assert.deepEqual(await server.gets(2), ['first', 'last'])
    server.send('reply', { family: 4, host: '127.0.0.1', port: server.got[0].from.port })
    await test.turns(20)
    assert.deepEqual([record.got, server.got.length], [[], 2])
    const bound = await test.engine.bindDatagrams({ address: LOOPBACK }, record.handler)
    bound.close()
    server.send('nobody', bound.local)
    await test.turns(20)
    assert.deepEqual(record.got, [])
  })

  it('a handler that throws is reported, and the socket goes on', async (t) => {
    const test = await engineFor(t, backend)
    let count = 0
    const socket = await test.engine.bindDatagrams(
      { address: LOOPBACK },
      {
        received(from, start, end) {
          if (count++ === 0) throw new Error('first')
          from.sendTo(start, end, from.source)
        },
        failed() {},
      },
    )
    const one = await peer(t)
    one.send('a', socket.local)
    one.send('b', socket.local)
    assert.deepEqual(await one.gets(1), ['b'])
    assert.deepEqual(
      test.takeErrors().map((error) => (error as Error).message),
      ['first'],
    )
  })

  it('rejects an address that is taken with LISTEN_ADDRESS_IN_USE, and shares it where both ask for that', async (t) => {
    const test = await engineFor(t, backend)
    const first = await test.engine.bindDatagrams({ address: LOOPBACK, reusePort: true }, echo())
    await assert.rejects(
      test.engine.bindDatagrams({ address: first.local }, echo()),
      (error) => error instanceof EvenerError && error.code === 'LISTEN_ADDRESS_IN_USE',
    )
    const [one, other] = [echo(), echo()]
    first.handler = one
    const second = await test.engine.bindDatagrams({ address: first.local, reusePort: true }, other)
    assert.deepEqual(second.local, first.local)
    const peers = await Promise.all(Array.from({ length: 32 }, () => peer(t)))
    for (const each of peers) each.send('x', first.local)
    await Promise.all(peers.map((each) => each.gets(1)))
    assert.equal(one.count + other.count, 32)
    assert.ok(one.count > 0 && other.count > 0)
  })

  it('a burst that is larger than all buffers loses datagrams at most, never the socket', async (t) => {
    const test = await engineFor(t, backend, { blockCount: 32, receiveBlocks: 4 })
    const handler = echo()
    const socket = await test.engine.bindDatagrams({ address: LOOPBACK }, handler)
    const one = await peer(t)
    for (let i = 0; i < 500; i++) one.send(`burst ${i}`, socket.local)
    await one.gets(1)
    await test.turns(50)
    const before = one.got.length
    one.send('after', socket.local)
    for (;;) {
      const all = await one.gets(before + 1)
      if (all.includes('after')) break
      await test.turns()
    }
    await test.until(() => test.engine.blocks.free >= test.idleBlocks)
  })
}

const WILDCARD: SocketAddress = { family: 4, host: '0.0.0.0', port: 0 }

/** What only the kernel's own interface can tell. */
export function ownAddresses(backend: Backend): void {
  // node:dgram does not tell which own address a datagram was sent to.
  if (backend.kind === 'portable') return
  it('a socket on all addresses answers from the one that it was asked at', async (t) => {
    const test = await engineFor(t, backend)
    const socket = await test.engine.bindDatagrams({ address: WILDCARD }, echo())
    const { port } = socket.local as { port: number }
    const one = await peer(t, '0.0.0.0')
    for (const host of ['127.0.0.1', '127.0.0.77']) one.send(host, { family: 4, host, port })
    await one.gets(2)
    for (const { bytes, from } of one.got) assert.equal(from.address, bytes.toString())
    const six = await test.engine.bindDatagrams({ address: { family: 6, host: '::', port: 0 } }, echo())
    const other = await peer(t, '::1')
    other.send('six', { ...six.local, host: '::1' } as SocketAddress)
    await other.gets(1)
    assert.equal(other.got[0].from.address, '::1')
  })
}
