/** First byte of a handshake's record; what begins otherwise is no TLS. */
export const HANDSHAKE_RECORD = 22
const RECORD_HEAD_BYTES = 5
const MESSAGE_HEAD_BYTES = 4
/** The longest ClientHello that is waited for; longer ones, and what is none, are for OpenSSL to judge. */
const MAX_HELLO_BYTES = 16 * 1024

/**
 * The ClientHello in the records that a connection begins with, which it may be spread over (RFC 8446 §5.1), with its four bytes of type and
 * length; null while more of it has to come. What can be none is given as far as it can be read.
 */
export function helloOf(bytes: Uint8Array): Uint8Array | null {
  const message = new Uint8Array(Math.min(bytes.length, MESSAGE_HEAD_BYTES + MAX_HELLO_BYTES))
  let length = 0
  for (let at = 0; ; ) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return message.subarray(0, length)
    if (bytes.length - at < RECORD_HEAD_BYTES) return null
    const end = at + RECORD_HEAD_BYTES + ((bytes[at + 3] << 8) | bytes[at + 4])
    const part = bytes.subarray(at + RECORD_HEAD_BYTES, end).subarray(0, message.length - length)
    message.set(part, length)
    length += part.length
    if (part.length === 0 && end <= bytes.length) return message.subarray(0, length)
    if (length >= MESSAGE_HEAD_BYTES) {
      const wanted = MESSAGE_HEAD_BYTES + ((message[1] << 16) | (message[2] << 8) | message[3])
      if (length >= wanted || wanted > MESSAGE_HEAD_BYTES + MAX_HELLO_BYTES) return message.subarray(0, Math.min(length, wanted))
    }
    if (end > bytes.length) return null
    at = end
  }
}
