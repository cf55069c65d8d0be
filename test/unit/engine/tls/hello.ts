/** Builds a ClientHello with its four bytes of type and length. Extensions by number, as hexadecimal bodies. */
export function clientHello(ciphers: string, extensions: readonly (readonly [number, string])[], version = '0303'): Buffer {
  const sized = (hex: string, bytes: number): string => (hex.length / 2).toString(16).padStart(bytes * 2, '0') + hex
  const list = extensions.map(([type, body]) => type.toString(16).padStart(4, '0') + sized(body, 2)).join('')
  const body = `${version}${'00'.repeat(32)}00${sized(ciphers, 2)}0100${sized(list, 2)}`
  return Buffer.from(`01${sized(body, 3)}`, 'hex')
}

/** A browser's hello, with values of RFC 8701 that are to be ignored. */
export const BROWSER = clientHello('0a0a130113021303c02bc02fc02cc030cca9cca8c013c014009c009d002f0035', [
  [0x1a1a, ''],
  [0, '000c0000097368 6f702e74657374'.replaceAll(' ', '')],
  [23, ''],
  [65281, '00'],
  [10, '000a2a2a001d00170018000a'.slice(0, 20)],
  [11, '0100'],
  [35, ''],
  [16, '000c02683208687474702f312e31'],
  [5, '0100000000'],
  [13, '001004030804040105030805050108060601'],
  [18, ''],
  [51, '0002001d'],
  [45, '0101'],
  [43, '06aaaa03040303'],
  [27, '020002'],
  [17513, '0003026832'],
  [21, '0000'],
])
