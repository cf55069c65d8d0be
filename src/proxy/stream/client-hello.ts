/** What reading the beginning of a connection has come to. */
export const HELLO = {
  /** More bytes are needed. */
  INCOMPLETE: 0,
  COMPLETE: 1,
  /** The connection begins with something else than TLS. */
  NOT_TLS: 2,
  /** It begins like TLS and goes on like nothing that is. */
  INVALID: 3,
  TOO_LARGE: 4,
} as const

/** The longest ClientHello that is read, which is what one record of TLS holds. Clients send less than 3 KiB, post-quantum keys included. */
export const MAX_HELLO_BYTES = 16 * 1024

const RECORD_HEADER_BYTES = 5
const MESSAGE_HEADER_BYTES = 4
const MAX_RECORD_BYTES = 16 * 1024
const HANDSHAKE = 22
const CLIENT_HELLO = 1
const SERVER_NAME = 0
const ALPN = 16
const HOST_NAME = 0

/**
 * Finds the name (SNI) and the protocols (ALPN) in the ClientHello that a connection of TLS begins with (RFC 8446 §4.1.2, RFC 6066 §3,
 * RFC 7301 §3.1), without taking part in the handshake. It may come in any pieces: in segments of TCP, and in records of TLS.
 * Strict: what a server could read differently is invalid.
 */
export class ClientHelloReader {
  /** In lower case; "" where the client names none. */
  serverName = ''
  /** In the client's order. */
  protocols: string[] = []
  /** The handshake message so far, taken out of its records. */
  #message = new Uint8Array(0)
  #length = 0
  /** Bytes of the record's header that are there, and of its content that are still to come. */
  #headerBytes = 0
  #recordBytes = 0
  #recordLength = 0

  /** Takes the next bytes; returns HELLO. After anything but INCOMPLETE it takes no more. */
  read(memory: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end) {
      if (this.#recordBytes === 0) {
        const result = this.#readHeader(memory[at++])
        if (result !== HELLO.INCOMPLETE) return result
        continue
      }
      const run = Math.min(this.#recordBytes, end - at)
      if (!this.#append(memory, at, run)) return HELLO.TOO_LARGE
      at += run
      this.#recordBytes -= run
      const result = this.#tryMessage()
      if (result !== HELLO.INCOMPLETE) return result
    }
    return HELLO.INCOMPLETE
  }

  #readHeader(byte: number): number {
    const at = this.#headerBytes++
    if (at === 0 && byte !== HANDSHAKE) return this.#length === 0 ? HELLO.NOT_TLS : HELLO.INVALID
    if (at === 1 && byte !== 3) return HELLO.INVALID
    if (at === 3) this.#recordLength = byte << 8
    if (at < RECORD_HEADER_BYTES - 1) return HELLO.INCOMPLETE
    this.#headerBytes = 0
    this.#recordBytes = this.#recordLength | byte
    // RFC 8446 §5.1: a record of a handshake is not empty.
    return this.#recordBytes === 0 || this.#recordBytes > MAX_RECORD_BYTES ? HELLO.INVALID : HELLO.INCOMPLETE
  }

  #append(memory: Uint8Array, at: number, run: number): boolean {
    const needed = this.#length + run
    // What follows the hello in its record is no concern of ours.
    if (needed > MAX_HELLO_BYTES + MAX_RECORD_BYTES) return false
    if (needed > this.#message.length) {
      const longer = new Uint8Array(Math.max(needed, Math.min(2 * this.#message.length, MAX_HELLO_BYTES)))
      longer.set(this.#message.subarray(0, this.#length))
      this.#message = longer
    }
    this.#message.set(memory.subarray(at, at + run), this.#length)
    this.#length = needed
    return true
  }

  #tryMessage(): number {
    const message = this.#message
    if (message[0] !== CLIENT_HELLO) return HELLO.INVALID
    if (this.#length < MESSAGE_HEADER_BYTES) return HELLO.INCOMPLETE
    const end = MESSAGE_HEADER_BYTES + ((message[1] << 16) | (message[2] << 8) | message[3])
    if (end > MAX_HELLO_BYTES) return HELLO.TOO_LARGE
    if (this.#length < end) return HELLO.INCOMPLETE
    return this.#readMessage(message, end) ? HELLO.COMPLETE : HELLO.INVALID
  }

  #readMessage(message: Uint8Array, end: number): boolean {
    // legacy_version and random, then vectors of one, two and one byte of length.
    let at = vectorEnd(message, MESSAGE_HEADER_BYTES + 34, end, 1)
    if (at !== -1) at = vectorEnd(message, at, end, 2)
    if (at !== -1) at = vectorEnd(message, at, end, 1)
    if (at === -1) return false
    if (at === end) return true
    const extensionsEnd = vectorEnd(message, at, end, 2)
    if (extensionsEnd !== end) return false
    return this.#readExtensions(message, at + 2, end)
  }

  #readExtensions(message: Uint8Array, start: number, end: number): boolean {
    let hasName = false
    let hasProtocols = false
    for (let at = start; at < end; ) {
      if (end - at < 4) return false
      const type = (message[at] << 8) | message[at + 1]
      const next = vectorEnd(message, at + 2, end, 2)
      if (next === -1) return false
      if (type === SERVER_NAME) {
        if (hasName || !this.#readNames(message, at + 4, next)) return false
        hasName = true
      } else if (type === ALPN) {
        if (hasProtocols || !this.#readProtocols(message, at + 4, next)) return false
        hasProtocols = true
      }
      at = next
    }
    return true
  }

  #readNames(message: Uint8Array, start: number, end: number): boolean {
    if (vectorEnd(message, start, end, 2) !== end || end - start === 2) return false
    let hasHost = false
    for (let at = start + 2; at < end; ) {
      const next = vectorEnd(message, at + 1, end, 2)
      if (next === -1) return false
      if (message[at] === HOST_NAME) {
        if (hasHost) return false
        hasHost = true
        this.serverName = readName(message, at + 3, next)
        if (this.serverName === '') return false
      }
      at = next
    }
    return true
  }

  #readProtocols(message: Uint8Array, start: number, end: number): boolean {
    if (vectorEnd(message, start, end, 2) !== end || end - start === 2) return false
    for (let at = start + 2; at < end; ) {
      const next = vectorEnd(message, at, end, 1)
      if (next === -1 || next === at + 1) return false
      this.protocols.push(String.fromCharCode(...message.subarray(at + 1, next)))
      at = next
    }
    return true
  }
}

/** Where the vector ends whose length of `size` bytes is at `at`; -1 where it does not end before `end`. */
function vectorEnd(bytes: Uint8Array, at: number, end: number, size: number): number {
  if (at + size > end) return -1
  const length = size === 1 ? bytes[at] : (bytes[at] << 8) | bytes[at + 1]
  return at + size + length > end ? -1 : at + size + length
}

/** A name of letters, digits, "-", "_" and dots, in lower case and without a final dot; "" where it is none. */
function readName(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start
  if (length === 0 || length > 255) return ''
  let name = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    const isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a
    const isOther = (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2e || byte === 0x5f || byte === 0x3a
    if (!isLetter && !isOther) return ''
    name += String.fromCharCode(isLetter ? byte | 0x20 : byte)
  }
  return name.endsWith('.') ? name.slice(0, -1) : name
}
