import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientAddress, formatIp, parseIp } from '../../../../src/core/index.ts'
import { crc32c } from '../../../../src/proxy/proxy-protocol/crc32c.ts'
import {
  HEADER_FAULT,
  MAX_HEADER_BYTES,
  ProxyHeader,
  type ProxyTlvs,
  parseProxyHeader,
  writeProxyHeader,
  writeProxyLine,
  writeSsl,
} from '../../../../src/proxy/proxy-protocol/index.ts'
import { commonName } from '../../../../src/proxy/proxy-protocol/ssl.ts'

const NOTHING = new Uint8Array(0)
const NO_TLVS: ProxyTlvs = { authority: NOTHING, alpn: NOTHING, uniqueId: NOTHING, ssl: NOTHING, hasChecksum: false }

function ends(source: string, sourcePort: number, destination: string, destinationPort: number) {
  const [a, b] = [new ClientAddress(), new ClientAddress()]
  parseIp(source, a)
  parseIp(destination, b)
  return { source: a, sourcePort, destination: b, destinationPort }
}

function read(bytes: Uint8Array): { result: number; header: ProxyHeader } {
  const header = new ProxyHeader()
  return { result: parseProxyHeader(bytes, 0, bytes.length, header), header }
}

function told(header: ProxyHeader): string {
  return header.isLocal
    ? 'local'
    : `${formatIp(header.source)} ${header.sourcePort} ${formatIp(header.destination)} ${header.destinationPort}`
}

/** Version 2 from hexadecimal, behind the signature. */
function version2(hex: string): Uint8Array {
  return Buffer.from(`0d0a0d0a000d0a515549540a${hex.replaceAll(' ', '')}`, 'hex')
}

test('reads the lines of version 1', () => {
  for (const [line, expected] of [
    ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n', '192.0.2.1 56324 198.51.100.2 443'],
    ['PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n', '2001:db8::1 1 2001:db8::2 65535'],
    ['PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n', '192.0.2.1 1 198.51.100.2 2'],
    ['PROXY TCP4 0.0.0.0 255.255.255.255 0 0\r\n', '0.0.0.0 0 255.255.255.255 0'],
    ['PROXY UNKNOWN\r\n', 'local'],
    ['PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n', 'local'],
  ]) {
    const { result, header } = read(Buffer.from(`${line}GET / HTTP/1.1`))
    assert.equal(result, line.length, line)
    assert.equal(told(header), expected)
  }
})

test('refuses what is no line of version 1, or could be read in two ways', () => {
  for (const line of [
    'GET / HTTP/1.1\r\n',
    'PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n',
    'PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n',
    'PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n',
    'PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n',
    'PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY UNKNOWNS\r\n',
    'PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n',
    'proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx',
    `PROXY UNKNOWN ${'x'.repeat(200)}`,
    `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`,
  ])
    assert.ok(read(Buffer.from(line)).result < 0, JSON.stringify(line))
})

test('reads version 2 with its TLVs, and skips those that it does not know', () => {
  const { result, header } = read(
    version2('21 11 0025 c0000201 c6336402 dc04 01bb  01 0002 6832  02 0009 73686f702e74657374  e0 0000  05 0002 abcd'),
  )
  assert.equal(result, 16 + 0x25)
  assert.equal(told(header), '192.0.2.1 56324 198.51.100.2 443')
  const bytes = version2('21 11 0025 c0000201 c6336402 dc04 01bb  01 0002 6832  02 0009 73686f702e74657374  e0 0000  05 0002 abcd')
  const text = (start: number, end: number) => Buffer.from(bytes.subarray(start, end)).toString('latin1')
  assert.equal(text(header.alpnStart, header.alpnEnd), 'h2')
  assert.equal(text(header.authorityStart, header.authorityEnd), 'shop.test')
  assert.equal(header.uniqueIdEnd - header.uniqueIdStart, 2)
})

test('a header of version 2 without addresses, or for the sender itself, is local', () => {
  for (const hex of ['20 00 0000', '20 11 000c c0000201c6336402dc0401bb', '21 00 0000', '20 00 0003 040000'])
    assert.equal(told(read(version2(hex)).header), 'local')
  // A Unix socket has no address that we could use.
  const unix = read(version2(`21 31 00d8 ${'00'.repeat(216)}`))
  assert.deepEqual([unix.result, unix.header.source.family], [16 + 216, 0])
})

test('refuses version 2 that is malformed', () => {
  const cases: [string, number][] = [
    ['11 11 000c c0000201c6336402dc0401bb', HEADER_FAULT.COMMAND],
    ['22 11 000c c0000201c6336402dc0401bb', HEADER_FAULT.COMMAND],
    ['21 41 000c c0000201c6336402dc0401bb', HEADER_FAULT.FAMILY],
    ['21 13 000c c0000201c6336402dc0401bb', HEADER_FAULT.FAMILY],
    ['21 12 000c c0000201c6336402dc0401bb', HEADER_FAULT.FAMILY],
    ['21 10 000c c0000201c6336402dc0401bb', HEADER_FAULT.FAMILY],
    ['21 11 000b c0000201c6336402dc0401', HEADER_FAULT.LENGTH],
    ['21 21 000c c0000201c6336402dc0401bb', HEADER_FAULT.LENGTH],
    ['21 11 ffff', HEADER_FAULT.LENGTH],
    ['21 11 000d c0000201c6336402dc0401bb 01', HEADER_FAULT.TLV],
    ['21 11 0010 c0000201c6336402dc0401bb 01 0002 61', HEADER_FAULT.TLV],
    ['21 11 0014 c0000201c6336402dc0401bb 01 0001 61 01 0001 61', HEADER_FAULT.TLV],
    ['21 11 0011 c0000201c6336402dc0401bb 03 0002 0000', HEADER_FAULT.TLV],
    ['21 11 0013 c0000201c6336402dc0401bb 03 0004 00000000', HEADER_FAULT.CHECKSUM],
    ['21 11 0013 c0000201c6336402dc0401bb 20 0004 01000000', HEADER_FAULT.TLV],
    ['21 11 0016 c0000201c6336402dc0401bb 20 0007 0100000000 2100', HEADER_FAULT.TLV],
    ['21 11 0018 c0000201c6336402dc0401bb 20 0009 0100000000 21000261', HEADER_FAULT.TLV],
    ['21 11 001c c0000201c6336402dc0401bb 20 0005 0100000000 20 0005 0100000000', HEADER_FAULT.TLV],
  ]
  for (const [hex, fault] of cases) assert.equal(read(version2(hex)).result, -fault, hex)
  assert.equal(read(Buffer.from('0d0a0d0a000d0a515549540b2111', 'hex')).result, -HEADER_FAULT.NONE)
})

test('what is told of TLS: version, name and cipher, and whether a certificate was shown, now or when the session began', () => {
  const facts = { version: 'TLSv1.2', cipher: 'AES', peerSubject: '', isResumed: false }
  const hex = (more: object) => Buffer.from(writeSsl({ ...facts, ...more })).toString('hex')
  assert.equal(hex({}), '01 00000001 210007 544c5376312e32 230003 414553'.replaceAll(' ', ''))
  assert.equal(hex({ peerSubject: 'CN=al,O=x' }), '07 00000000 210007 544c5376312e32 220002 616c 230003 414553'.replaceAll(' ', ''))
  assert.equal(hex({ peerSubject: 'O=x', isResumed: true }), '05 00000000 210007 544c5376312e32 230003 414553'.replaceAll(' ', ''))
  assert.equal(hex({ version: '', cipher: '' }), '0100000001')
})

test('the common name of a subject is the first of its certificate, unescaped', () => {
  for (const [subject, name] of [
    ['CN=alice,OU=a,O=Test', 'alice'],
    ['OU=CN,CN=last,O=x,CN=first', 'first'],
    ['CN=a\\, b\\+c\\\\41\\C3\\A9,O=x', 'a, b+c\\41é'],
    ['UID=1+CN=two,O=x', 'two'],
    ['O=CN\\=no', ''],
    ['', ''],
  ])
    assert.equal(commonName(subject), name, subject)
})

test('the checksum is CRC-32C', () => {
  assert.equal(crc32c(Buffer.from('123456789'), 0, 9), 0xe3069283)
})

test('what is written is read back, in both versions and families', () => {
  const pairs = [
    ends('192.0.2.1', 1, '198.51.100.2', 65535),
    ends('2001:db8::1', 4711, '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', 80),
    ends('192.0.2.1', 4711, '2001:db8::2', 80),
    ends('2001:db8::1', 4711, '192.0.2.1', 80),
  ]
  const tlvs: ProxyTlvs = {
    authority: Buffer.from('shop.test'),
    alpn: Buffer.from('h2'),
    uniqueId: Buffer.alloc(128, 7),
    ssl: writeSsl({ version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', peerSubject: 'CN=alice,O=Test', isResumed: false }),
    hasChecksum: true,
  }
  for (const pair of pairs) {
    const expected = `${formatIp(pair.source)} ${pair.sourcePort} ${formatIp(pair.destination)} ${pair.destinationPort}`
    for (const write of [
      (memory: Uint8Array) => writeProxyLine(memory, 3, pair),
      (memory: Uint8Array) => writeProxyHeader(memory, 3, pair, NO_TLVS),
      (memory: Uint8Array) => writeProxyHeader(memory, 3, pair, tlvs),
    ]) {
      const memory = new Uint8Array(MAX_HEADER_BYTES)
      const end = write(memory)
      const header = new ProxyHeader()
      assert.equal(parseProxyHeader(memory, 3, end, header), end)
      assert.equal(told(header), expected)
    }
  }
  const nowhere = { ...ends('192.0.2.1', 1, '192.0.2.2', 2), source: new ClientAddress() }
  const memory = new Uint8Array(64)
  assert.equal(Buffer.from(memory.subarray(0, writeProxyLine(memory, 0, nowhere))).toString(), 'PROXY UNKNOWN\r\n')
  assert.equal(told(read(memory.subarray(0, writeProxyHeader(memory, 0, nowhere, NO_TLVS))).header), 'local')
})
