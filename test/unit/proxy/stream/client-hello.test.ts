import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientHelloReader, HELLO, MAX_HELLO_BYTES } from '../../../../src/proxy/stream/client-hello.ts'
import { clientHello, helloMessage, records } from '../../../support/client-hello.ts'

function read(bytes: Uint8Array, pieceBytes = bytes.length): { result: number; reader: ClientHelloReader } {
  const reader = new ClientHelloReader()
  let result: number = HELLO.INCOMPLETE
  for (let at = 0; at < bytes.length && result === HELLO.INCOMPLETE; at += pieceBytes)
    result = reader.read(bytes, at, Math.min(at + pieceBytes, bytes.length))
  return { result, reader }
}

test('finds the name and the protocols, however the hello is cut into segments and records', () => {
  const extensions = [[10, Buffer.alloc(1200, 1)]] as const
  for (const recordBytes of [16_384, 500, 37, 1]) {
    const bytes = clientHello({ name: 'Shop.Test', protocols: ['h2', 'http/1.1'], extensions, recordBytes })
    for (const pieceBytes of [bytes.length, 1460, 100, 7, 1]) {
      const { result, reader } = read(bytes, pieceBytes)
      assert.equal(result, HELLO.COMPLETE)
      assert.deepEqual([reader.serverName, reader.protocols], ['shop.test', ['h2', 'http/1.1']])
    }
  }
})

test('a hello without name, without protocols, without extensions is complete', () => {
  for (const options of [{}, { isBare: true }, { protocols: ['h2'] }]) {
    const { result, reader } = read(clientHello(options))
    assert.deepEqual([result, reader.serverName], [HELLO.COMPLETE, ''])
  }
  assert.equal(read(clientHello({ name: 'shop.test.' })).reader.serverName, 'shop.test')
})

test('what follows the hello does not matter', () => {
  assert.equal(read(Buffer.concat([clientHello({ name: 'a' }), Buffer.from('more')])).result, HELLO.COMPLETE)
  assert.equal(read(records(Buffer.concat([helloMessage({ name: 'a' }), Buffer.alloc(300)]))).result, HELLO.COMPLETE)
})

test('knows with the first byte what is no TLS', () => {
  for (const text of ['GET / HTTP/1.1\r\n', 'SSH-2.0-x\r\n', '\x00\x00\x00\x08\x04\xd2\x16\x2f', '\x80\x2e\x01\x03\x01'])
    assert.equal(read(Buffer.from(text, 'latin1'), 1).result, HELLO.NOT_TLS)
})

test('refuses what is malformed, or could be read in two ways', () => {
  const name = (...hosts: string[]) => {
    const entries = Buffer.concat(hosts.map((host) => Buffer.from([0, 0, host.length, ...Buffer.from(host, 'latin1')])))
    return [0, Buffer.concat([Buffer.from([entries.length >> 8, entries.length & 255]), entries])] as const
  }
  const bad: [string, Uint8Array][] = [
    ['another version of records', Buffer.from([22, 2, 0, 0, 5, 1, 0, 0, 1, 0])],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1])],
    ['another message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
    [
      'an alert between two records',
      Buffer.concat([records(helloMessage({ name: 'a' }).subarray(0, 20)), Buffer.from([21, 3, 1, 0, 2, 1, 0])]),
    ],
    ['an empty name', clientHello({ name: '' })],
    ['a name with NUL', clientHello({ name: 'shop.test\0.evil' })],
    ['a name beyond ASCII', clientHello({ name: 'sh\xf6p.test' })],
    ['a name that is too long', clientHello({ name: 'a'.repeat(256) })],
    ['two names', clientHello({ extensions: [name('a', 'b')] })],
    ['two lists of names', clientHello({ extensions: [name('a'), name('b')] })],
    ['an empty list of names', clientHello({ extensions: [[0, Buffer.from([0, 0])]] })],
    ['an empty protocol', clientHello({ protocols: [''] })],
    ['no protocol', clientHello({ protocols: [] })],
    ['two lists of protocols', clientHello({ protocols: ['h2'], extensions: [[16, Buffer.from([0, 2, 1, 65])]] })],
    ['a list that is longer than its extension', clientHello({ extensions: [[16, Buffer.from([0, 9, 1, 65])]] })],
  ]
  for (const [what, bytes] of bad) assert.equal(read(bytes).result, HELLO.INVALID, what)
  const message = helloMessage({ name: 'shop.test' })
  message[3] -= 1
  assert.equal(read(records(message)).result, HELLO.INVALID)
})

test('refuses a hello that is too large as soon as it says so', () => {
  const large = clientHello({ extensions: [[21, Buffer.alloc(MAX_HELLO_BYTES)]] })
  assert.equal(read(large.subarray(0, 9)).result, HELLO.TOO_LARGE)
  const most = helloMessage({
    extensions: [[21, Buffer.alloc(MAX_HELLO_BYTES - helloMessage({ extensions: [[21, Buffer.alloc(0)]] }).length)]],
  })
  assert.equal(most.length, MAX_HELLO_BYTES)
  assert.equal(read(records(most)).result, HELLO.COMPLETE)
})
