import { STATUS_CODES } from 'node:http'
import { literal } from './literal.ts'

const LINES = new Map<number, Uint8Array>()

/** "HTTP/1.1 404 Not Found\r\n". Lines are made once for each status. */
export function statusLine(status: number): Uint8Array {
  let line = LINES.get(status)
  if (line === undefined) {
    line = literal(`HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`)
    LINES.set(status, line)
  }
  return line
}

export function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? ''
}
