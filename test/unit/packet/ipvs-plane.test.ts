import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NativeNetlink } from '../../../src/kernel/netlink/index.ts'
import { IpvsPlane, type PacketServer, type PacketService, SERVICE_DEFAULTS } from '../../../src/packet/index.ts'

const COMMANDS = ['', 'NEW_SERVICE', 'SET_SERVICE', 'DEL_SERVICE', '', 'NEW_DEST', 'SET_DEST', 'DEL_DEST', 'GET_DEST']
const FAMILY = 0x1d

/** A kernel with IPVS, as far as netlink shows it: it says yes to all, and tells of the destinations that it was given. */
class FakeKernel implements NativeNetlink {
  readonly said: string[] = []
  readonly #hasIpvs: boolean
  readonly #destinations = new Map<string, Uint8Array>()
  #answers: Uint8Array[] = []
  isOpen = false

  constructor(hasIpvs = true) {
    this.#hasIpvs = hasIpvs
  }

  netlinkOpen(): number {
    this.isOpen = true
    return 5
  }

  netlinkClose(): number {
    this.isOpen = false
    return 0
  }

  netlinkSend(_fd: number, bytes: Uint8Array): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const [type, sequence, command] = [view.getUint16(4, true), view.getUint32(8, true), bytes[16]]
    if (type === 16) {
      this.#answers = this.#hasIpvs
        ? [packet(16, sequence, attributes(1, Uint8Array.of(FAMILY, 0))), done(sequence, 0)]
        : [done(sequence, -2)]
      return bytes.length
    }
    const service = view.getUint16(20, true)
    const destination = bytes.subarray(20 + service)
    if (COMMANDS[command] !== 'GET_DEST') {
      this.said.push(
        destination.length === 0
          ? COMMANDS[command]
          : `${COMMANDS[command]} ${[...destination.subarray(16, 20)].join('.')} weight ${weightOf(destination)}`,
      )
    }
    const key = Buffer.from(destination.subarray(16, 20)).toString('hex')
    if (COMMANDS[command] === 'NEW_DEST' || COMMANDS[command] === 'SET_DEST') this.#destinations.set(key, destination.slice())
    if (COMMANDS[command] === 'DEL_DEST') this.#destinations.delete(key)
    const dump = COMMANDS[command] === 'GET_DEST' ? [...this.#destinations.values()].map((each) => packet(FAMILY, sequence, each, 2)) : []
    this.#answers = [...dump, COMMANDS[command] === 'GET_DEST' ? packet(3, sequence, new Uint8Array(0), 2) : done(sequence, 0)]
    return bytes.length
  }

  netlinkReceive(_fd: number, bytes: Uint8Array): number {
    const answer = this.#answers.shift()
    assert.ok(answer !== undefined, 'asked for more than there is')
    bytes.set(answer)
    return answer.length
  }
}

function packet(type: number, sequence: number, payload: Uint8Array, flags = 0): Uint8Array {
  const bytes = new Uint8Array(20 + payload.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length, true)
  view.setUint16(4, type, true)
  view.setUint16(6, flags, true)
  view.setUint32(8, sequence, true)
  bytes.set(payload, 20)
  return bytes
}

function done(sequence: number, result: number): Uint8Array {
  const bytes = packet(2, sequence, new Uint8Array(16))
  new DataView(bytes.buffer).setInt32(16, result, true)
  return bytes
}

function attributes(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 4 + value.length, true)
  view.setUint16(2, type, true)
  bytes.set(value, 4)
  return bytes
}

/** Behind family (8 bytes), address (20), port (8) and method (8), in the nest. */
function weightOf(destination: Uint8Array): number {
  return new DataView(destination.buffer, destination.byteOffset).getUint32(4 + 8 + 20 + 8 + 8 + 4, true)
}

const server = (name: string, address: string, over: Partial<PacketServer> = {}): PacketServer => {
  return { name, address, port: 80, weight: 2, share: 1, tier: 0, isDown: false, isDraining: false, upper: 0, lower: 0, ...over }
}
const [a, b] = [server('a', '10.0.0.11'), server('b', '10.0.0.12')]
const service = (servers: readonly PacketServer[], over: Partial<PacketService> = {}): PacketService => {
  return { ...SERVICE_DEFAULTS, name: 'web', addresses: [{ address: '10.0.0.100', firstPort: 80, lastPort: 80 }], servers, ...over }
}

test('IPVS is told of services and servers, of each change once, and of the end', () => {
  const kernel = new FakeKernel()
  const plane = IpvsPlane.open([service([a, b])], kernel)
  assert.deepEqual(kernel.said.splice(0), ['NEW_SERVICE', 'NEW_DEST 10.0.0.11 weight 2', 'NEW_DEST 10.0.0.12 weight 2'])
  plane.updateServers('web', [{ ...a, isDraining: true }])
  assert.deepEqual(kernel.said.splice(0), ['SET_DEST 10.0.0.11 weight 0', 'SET_DEST 10.0.0.12 weight 2'])
  plane.updateServers('web', [{ ...b, isDown: true }])
  assert.deepEqual(kernel.said.splice(0), ['DEL_DEST 10.0.0.12 weight 1', 'SET_DEST 10.0.0.11 weight 0'])
  assert.deepEqual(
    plane.status().servers.map((each) => each.server),
    ['a', 'b'],
  )
  plane.apply([])
  assert.deepEqual(kernel.said.splice(0), ['DEL_SERVICE'])
  plane.close({ keep: false })
  assert.deepEqual([kernel.said, kernel.isOpen], [[], false])
})

test('two addresses and two protocols are four services; a mark is one', () => {
  const kernel = new FakeKernel()
  const addresses = ['10.0.0.100', '10.0.0.101'].map((address) => ({ address, firstPort: 53, lastPort: 53 }))
  IpvsPlane.open([service([], { addresses, protocols: ['tcp', 'udp'] })], kernel).close({ keep: true })
  assert.deepEqual(kernel.said.splice(0), ['NEW_SERVICE', 'NEW_SERVICE', 'NEW_SERVICE', 'NEW_SERVICE'])
  IpvsPlane.open([service([], { addresses, mark: 7 })], kernel).close({ keep: true })
  assert.deepEqual(kernel.said, ['NEW_SERVICE'])
})

test('without ip_vs one sentence says so, and the socket is closed', () => {
  const kernel = new FakeKernel(false)
  assert.throws(() => IpvsPlane.open([service([a])], kernel), { code: 'IPVS_UNAVAILABLE', message: /modprobe ip_vs/ })
  assert.equal(kernel.isOpen, false)
})
