import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { discoveryAccess } from '../../../src/control/discovery/access.ts'
import { temporaryFolder } from '../../support/cleanup.ts'
import { refusedPort } from '../../support/origin.ts'

const access = discoveryAccess()

/** A UDP resolver that answers each question with these datagrams. */
async function resolver(t: TestContext, ...answers: string[]) {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => void socket.close())
  socket.on('message', (_, from) => {
    for (const answer of answers) socket.send(answer, from.port, from.address)
  })
  return { family: 4, host: '127.0.0.1', port: socket.address().port } as const
}

test('the first datagram that is accepted is the answer; silence and refusals are told in words', async (t) => {
  const question = Buffer.from('who')
  const server = await resolver(t, 'forged', 'right', 'late')
  const answer = await access.dns.udp(server, question, 5000, (bytes) => Buffer.from(bytes).toString() === 'right')
  assert.equal(Buffer.from(answer).toString(), 'right')
  await assert.rejects(
    access.dns.udp(server, question, 50, () => false),
    { message: 'no answer within 50 ms' },
  )
  const refused = { family: 4, host: '127.0.0.1', port: await refusedPort() } as const
  await assert.rejects(
    access.dns.udp(refused, question, 5000, () => true),
    { message: 'connection refused' },
  )
  await assert.rejects(access.dns.tcp(refused, question, 5000), { message: 'connection refused' })
  // Nobody may connect to a broadcast address, as to a network without a route to it.
  const unreachable = { family: 4, host: '255.255.255.255', port: 53 } as const
  await assert.rejects(
    access.dns.udp(unreachable, question, 5000, () => true),
    { code: 'EACCES' },
  )
  const broken = () => {
    throw new Error('the parser fell over')
  }
  await assert.rejects(access.dns.udp(server, question, 5000, broken), { message: 'the parser fell over' })
})

test('over TCP an answer may come in pieces, and one that breaks off is none', async (t) => {
  const server = createServer((socket) => {
    socket.once('data', (bytes: Buffer) => {
      assert.deepEqual(bytes, Buffer.from('\0\x03who'))
      for (const piece of ['\0', '\x05ri', 'ght']) socket.write(piece)
    })
  }).listen(0, '127.0.0.1')
  const cut = createServer((socket) => socket.end('\0\x05ri')).listen(0, '127.0.0.1')
  t.after(() => void [server.close(), cut.close()])
  const at = (port: number) => ({ family: 4, host: '127.0.0.1', port }) as const
  await Promise.all([once(server, 'listening'), once(cut, 'listening')])
  const [port, other] = [server, cut].map((one) => (one.address() as { port: number }).port)
  assert.equal(Buffer.from(await access.dns.tcp(at(port), Buffer.from('who'), 5000)).toString(), 'right')
  await assert.rejects(access.dns.tcp(at(other), Buffer.from('who'), 5000), /ended before the answer/)
})

test('files that cannot be what they should are refused, and nothing waits for them', async (t) => {
  const folder = temporaryFolder(t)
  const plan = (name: string) => ({ kind: 'file', mayEmpty: false, path: join(folder, name), intervalMs: 1000 }) as const
  mkdirSync(join(folder, 'folder'))
  execFileSync('mkfifo', [join(folder, 'pipe')])
  writeFileSync(join(folder, 'bombs'), 'a: &a [1,1]\nb: [*a,*a]\n')
  writeFileSync(join(folder, 'large'), '')
  truncateSync(join(folder, 'large'), 5 * 1024 * 1024)
  writeFileSync(join(folder, 'good'), '- "10.0.0.1:80"\n')
  for (const [name, words] of [
    ['absent', /there is no such file/],
    ['folder', /it is not a file/],
    ['pipe', /it is not a file/],
    ['bombs', /alias/i],
    ['large', /5242880 bytes/],
  ] as const) {
    await assert.rejects(access.readFile(plan(name)), words)
  }
  assert.deepEqual(await access.readFile(plan('good')), ['10.0.0.1:80'])
})
