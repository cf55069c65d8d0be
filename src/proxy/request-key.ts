import { ClientAddress, parseIp } from '../core/index.ts'
import { ByteRange, equalsIgnoreCase, findCookie, findQueryParameter, type RequestHead, TARGET } from '../http/index.ts'
import { type HashKey, hashKeyBytes, type KeySource, NO_KEY } from '../pool/index.ts'
import type { DownstreamConnection } from './downstream.ts'
import type { Exchange } from './exchange.ts'

const SLASH = 0x2f
const ROOT = Uint8Array.of(SLASH)
/** Scratch, for one look-up at a time. */
const range = new ByteRange()
const address = new Uint8Array(16)
const local = new ClientAddress()
const name = new Uint8Array(255)

/** The keys of a request for hashing algorithms, persistence and splits: found in its head where that lies, nothing is copied. */
export class RequestKeys implements KeySource {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  keyHash(key: HashKey): number {
    const { request, worker } = this.#exchange
    const memory = worker.engine.memory
    switch (key.kind) {
      case 'source':
        return hashAddress(key, (this.#exchange.downstream as DownstreamConnection).client)
      case 'destination':
        return this.#destination(key)
      case 'uri':
        return hashUri(key, memory, request)
      case 'header':
        return hashHeader(key, memory, request)
      case 'cookie':
        return findCookie(memory, request, key.nameBytes, range) ? hashKeyBytes(key, memory, range.start, range.end) : NO_KEY
      case 'query':
        return findQueryParameter(memory, request, key.nameBytes, range) ? hashKeyBytes(key, memory, range.start, range.end) : NO_KEY
      case 'sni':
        return hashName(key, (this.#exchange.downstream as DownstreamConnection).connection.secure?.serverName ?? '')
    }
  }

  #destination(key: HashKey): number {
    const { connection, proxied } = this.#exchange.downstream as DownstreamConnection
    if (proxied !== null) return hashAddress(key, proxied.destination)
    const socket = connection.local
    if (socket.family === 'unix') return NO_KEY
    parseIp(socket.host, local)
    return hashAddress(key, local)
  }
}

/** A name that TLS asked for; "" is none. */
export function hashName(key: HashKey, serverName: string): number {
  const length = Math.min(serverName.length, name.length)
  for (let i = 0; i < length; i++) name[i] = serverName.charCodeAt(i)
  return length === 0 ? NO_KEY : hashKeyBytes(key, name, 0, length)
}

/** The first bits of an address. A client on a Unix socket has none. */
export function hashAddress(key: HashKey, client: ClientAddress): number {
  if (client.family === 0) return NO_KEY
  const bits = client.family === 4 ? key.prefixLength4 : key.prefixLength6
  putWord(0, client.word0, bits)
  if (client.family === 4) return hashKeyBytes(key, address, 0, 4)
  putWord(4, client.word1, bits - 32)
  putWord(8, client.word2, bits - 64)
  putWord(12, client.word3, bits - 96)
  return hashKeyBytes(key, address, 0, 16)
}

function putWord(at: number, word: number, bits: number): void {
  const masked = bits >= 32 ? word : bits <= 0 ? 0 : word & (-1 << (32 - bits))
  address[at] = masked >>> 24
  address[at + 1] = masked >>> 16
  address[at + 2] = masked >>> 8
  address[at + 3] = masked
}

function hashUri(key: HashKey, memory: Uint8Array, request: RequestHead): number {
  if (request.targetForm === TARGET.ASTERISK) return NO_KEY
  const { pathStart, pathEnd, queryStart, queryEnd } = request
  const end = key.depth === 0 ? pathEnd : endOfSegments(memory, pathStart, pathEnd, key.depth)
  const path = pathStart === pathEnd ? hashKeyBytes(key, ROOT, 0, 1) : hashKeyBytes(key, memory, pathStart, end)
  if (!key.withQuery || queryStart === queryEnd) return path
  return (path ^ Math.imul(hashKeyBytes(key, memory, queryStart, queryEnd), 0x9e3779b1)) >>> 0
}

/** Behind the first `depth` segments: "/a/b" of "/a/b/c" for 2. */
function endOfSegments(memory: Uint8Array, start: number, end: number, depth: number): number {
  let segments = 0
  for (let at = start; at < end; at++) if (memory[at] === SLASH && segments++ === depth) return at
  return end
}

/** The first field of that name. */
function hashHeader(key: HashKey, memory: Uint8Array, request: RequestHead): number {
  const fields = request.fields
  for (let i = fields.find(key.field); i !== -1; i = fields.find(key.field, i + 1)) {
    if (key.field === 0 && !equalsIgnoreCase(memory, fields.offsets[i * 4], fields.offsets[i * 4 + 1], key.nameBytes)) continue
    return hashKeyBytes(key, memory, fields.valueStart(i), fields.valueEnd(i))
  }
  return NO_KEY
}
