import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { z } from 'zod'
import { address, cidr, complaintOf, serverAddress } from '../../../src/schema/index.ts'

function hint(schema: z.ZodType, text: string): string | undefined {
  const result = schema.safeParse(text)
  assert.equal(result.success, false, text)
  return complaintOf((result.error as z.ZodError).issues[0])?.hint
}

it('an address is IPv4, IPv6 in brackets, a port alone, or a Unix socket', () => {
  assert.deepEqual(
    ['127.0.0.1:80', '[::1]:80', ':80', '*:80', 'unix:/run/a.sock'].map((text) => address.parse(text)),
    [
      { family: 4, host: '127.0.0.1', port: 80 },
      { family: 6, host: '::1', port: 80 },
      { family: 4, host: '0.0.0.0', port: 80 },
      { family: 4, host: '0.0.0.0', port: 80 },
      { family: 'unix', path: '/run/a.sock' },
    ],
  )
})

it('port 0 lets the kernel choose where to listen, and names no server', () => {
  assert.equal(address.safeParse('127.0.0.1:0').success, true)
  assert.equal(serverAddress.safeParse('127.0.0.1:0').success, false)
})

it('a server is somewhere: every address of a machine is none', () => {
  assert.equal(hint(serverAddress, ':8080'), 'for this machine: "127.0.0.1:8080"')
  assert.equal(hint(serverAddress, '[::]:8080'), 'for this machine: "[::1]:8080"')
})

it('whoever forgets the port or writes a name is told what to write', () => {
  assert.equal(hint(serverAddress, '10.0.0.1'), 'for example "10.0.0.1:8080"')
  assert.equal(hint(address, '10.0.0.1'), 'for example "10.0.0.1:8080"')
  assert.equal(hint(address, 'localhost:80'), 'write "127.0.0.1" or "[::1]"; names are not resolved')
  assert.equal(hint(serverAddress, 'app.test:80'), `a name is resolved by the pool's "discover: { dns: { name: app.test, port: 80 } }"`)
  assert.equal(hint(address, 'app.test:80'), undefined)
})

it('a range has a prefix that its family allows; a single address is a range of one', () => {
  for (const text of ['10.0.0.0/8', 'fd00::/8', '192.0.2.7', '0.0.0.0/0']) assert.equal(cidr.safeParse(text).success, true, text)
  for (const text of ['10.0.0.0/33', 'fd00::/129', '10.0.0/8', '10.0.0.0/', 'x']) assert.equal(cidr.safeParse(text).success, false, text)
})
