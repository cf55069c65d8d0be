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

/** The texts of a row: null for NULL, and for what is cut or longer than any answer of a check. */
export function readRow(body: Buffer): (string | null)[] {
  const values: (string | null)[] = []
  for (let at = 0; at >= 0 && at < body.length; ) {
    const { text, end } = lengthEncoded(body, at)
    values.push(text)
    at = end
  }
  return values
}

/** The name in the definition of a column: the fifth of its texts. */
export function readColumnName(body: Buffer): string {
  let at = 0
  for (let i = 0; i < 4 && at >= 0; i++) at = lengthEncoded(body, at).end
  return at < 0 ? '' : (lengthEncoded(body, at).text ?? '')
}

/** The length-encoded text at an offset, and where it ends; -1 where nothing behind it can be read. */
function lengthEncoded(body: Buffer, at: number): { readonly text: string | null; readonly end: number } {
  const first = body[at]
  if (first === 0xfb) return { text: null, end: at + 1 }
  const isLong = first === 0xfc && body.length >= at + 3
  if (first === undefined || (first > 0xfb && !isLong)) return { text: null, end: -1 }
  const start = at + (isLong ? 3 : 1)
  const end = start + (isLong ? body.readUInt16LE(at + 1) : first)
  return end > body.length ? { text: null, end: -1 } : { text: body.toString('utf8', start, end), end }
}

/** "1045 Access denied …" of an error packet. */
export function errorText(body: Buffer): { readonly code: number; readonly text: string } {
  if (body.length < 3) return { code: 0, text: 'an error without a code' }
  const code = body.readUInt16LE(1)
  const text = body.toString('utf8', body[3] === 0x23 ? 9 : 3)
  return { code, text: `${code} ${text}` }
}
