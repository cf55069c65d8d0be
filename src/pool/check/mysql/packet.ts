/** A packet: three bytes of length, a sequence number, and the body. */
export function packet(sequence: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(4)
  head.writeUIntLE(body.length, 0, 3)
  head[3] = sequence
  return Buffer.concat([head, body])
}

/** Text up to a zero or the end; `end` is behind the zero. */
export function cString(body: Buffer, from: number): { readonly text: string; readonly end: number } {
  const zero = body.indexOf(0, from)
  const stop = zero < 0 ? body.length : zero
  return { text: body.toString('latin1', from, stop), end: stop + 1 }
}

/** A length-encoded text: its value, null for NULL, and for lengths that no answer of a check has. */
export function lengthEncoded(body: Buffer): string | null {
  const first = body[0]
  if (first === undefined || first >= 0xfb) {
    if (first !== 0xfc || body.length < 3) return null
    return body.toString('utf8', 3, 3 + body.readUInt16LE(1))
  }
  return body.toString('utf8', 1, 1 + first)
}

/** "1045 Access denied …" of an error packet. */
export function errorText(body: Buffer): { readonly code: number; readonly text: string } {
  if (body.length < 3) return { code: 0, text: 'an error without a code' }
  const code = body.readUInt16LE(1)
  const text = body.toString('utf8', body[3] === 0x23 ? 9 : 3)
  return { code, text: `${code} ${text}` }
}
