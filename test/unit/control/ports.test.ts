import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { demandFree } from '../../../src/control/ports.ts'
import { temporaryFolder } from '../../support/cleanup.ts'
import { refusedPort } from '../../support/origin.ts'

test('a port that another listens on is told, whether it shares the port or not', async (t) => {
  for (const reusePort of [false, true]) {
    const server = createServer().listen({ host: '127.0.0.1', port: 0, reusePort })
    await once(server, 'listening')
    t.after(() => void server.close())
    const { port } = server.address() as AddressInfo
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      await assert.rejects(demandFree({ family: 4, host, port }), { code: 'LISTEN_ADDRESS_IN_USE' })
    }
    await demandFree({ family: 6, host: '::1', port })
  }
})

test('a free port is free, also while the kernel remembers connections of an earlier listener', async () => {
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect(port, '127.0.0.1').resume()
  await once(client, 'close')
  server.close()
  await once(server, 'close')
  await demandFree({ family: 4, host: '127.0.0.1', port })
})

test('nobody is accepted while it is found out', async () => {
  const port = await refusedPort()
  const asking = demandFree({ family: 4, host: '127.0.0.1', port })
  const client = connect(port, '127.0.0.1')
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNREFUSED')
  await asking
})

test('an address of another machine is told in words', async () => {
  await assert.rejects(demandFree({ family: 4, host: '192.0.2.1', port: 8080 }), { code: 'LISTEN_ADDRESS_UNAVAILABLE' })
})

test('a socket file that nobody answers behind is removed, one that is in use or no socket is told', async (t) => {
  const path = join(temporaryFolder(t), 'x.sock')
  const server = createServer().listen(path)
  await once(server, 'listening')
  await assert.rejects(demandFree({ family: 'unix', path }), { code: 'LISTEN_ADDRESS_IN_USE' })
  server.close()
  rmSync(path, { force: true })
  await demandFree({ family: 'unix', path })
  await assert.rejects(demandFree({ family: 'unix', path: import.meta.filename }), { code: 'LISTEN_FAILED' })
})
