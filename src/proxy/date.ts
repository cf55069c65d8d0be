const LENGTH = 'Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n'.length

/** "Date: …\r\n" (RFC 9110 §5.6.7), formatted at most once a second. */
export class DateLine {
  readonly #bytes = new Uint8Array(LENGTH)
  #second = -1

  at(wallClockMs: number): Uint8Array {
    const second = Math.floor(wallClockMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#bytes.set(Buffer.from(`Date: ${new Date(second * 1000).toUTCString()}\r\n`, 'latin1'))
    }
    return this.#bytes
  }
}
