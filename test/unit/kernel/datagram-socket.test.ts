import assert from 'node:assert/strict'
import { test } from 'node:test'
import { datagramSocket, localAddress, native } from '../../../src/kernel/index.ts'
import { uring } from '../../support/uring.ts'

test('sockets that share their ports get one each where the kernel chooses, and may be joined there', uring, (t) => {
  const descriptors: number[] = []
  t.after(() => {
    for (const fd of descriptors) native().close(fd)
  })
  const open = (port: number): number => {
    const fd = datagramSocket({ address: { family: 4, host: '127.0.0.1', port }, reusePort: true, packetInfo: false })
    if (fd >= 0) descriptors.push(fd)
    return fd
  }
  const portOf = (fd: number): number => {
    const address = localAddress(fd)
    return address === undefined || address.family === 'unix' ? 0 : address.port
  }
  // Chosen at random, two of so many would meet almost certainly.
  const ports = Array.from({ length: 800 }, () => portOf(open(0)))
  assert.equal(new Set(ports).size, ports.length)
  assert.equal(portOf(open(ports[0])), ports[0])
})
