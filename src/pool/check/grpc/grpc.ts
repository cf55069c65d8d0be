import { PACKET, PacketCheck } from '../packet-check.ts'
import type { GrpcProbePlan } from '../plan.ts'
import { type CheckWire, fail, pass, type Verdict } from '../protocol.ts'
import { encodeFields, FLAG, FRAME, frame, OUR_SETTINGS, type Outcome, PREFACE, readFields } from './frames.ts'

const MAX_FRAME_BYTES = 16_384
const MAX_FIELD_BYTES = 16_384
const MAX_MESSAGE_BYTES = 64
const STREAM = 1
const NOT_HTTP2 = fail('the answer is not HTTP/2')
const NOT_GRPC = fail('the answer is not a health status')

/** grpc.health.v1.HealthCheckResponse.ServingStatus. */
const SERVING = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

const CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
]

/** grpc.health.v1.Health/Check over HTTP/2 with prior knowledge, or over TLS with ALPN "h2". */
export class GrpcCheck extends PacketCheck {
  readonly #plan: Omit<GrpcProbePlan, 'host'> & { readonly host: string }
  readonly #outcome: Outcome = { httpStatus: undefined, grpcStatus: undefined }
  #hasSettings = false
  #fields = Buffer.alloc(0)
  #endsStream = false
  #message = Buffer.alloc(0)

  constructor(plan: Omit<GrpcProbePlan, 'host'> & { readonly host: string }) {
    super('HTTP/2')
    this.#plan = plan
  }

  opened(wire: CheckWire): null {
    const { service, host, mode } = this.#plan
    const fields = encodeFields([
      [':method', 'POST'],
      [':scheme', mode === 'none' ? 'http' : 'https'],
      [':path', '/grpc.health.v1.Health/Check'],
      [':authority', host],
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
      ['user-agent', 'evener-check'],
    ])
    const name = Buffer.from(service, 'latin1')
    const request = name.length === 0 ? name : Buffer.concat([tagged(name.length), name])
    wire.write(
      Buffer.concat([
        PREFACE,
        frame(FRAME.SETTINGS, 0, 0, OUR_SETTINGS),
        frame(FRAME.HEADERS, FLAG.END_HEADERS, STREAM, fields),
        frame(
          FRAME.DATA,
          FLAG.END_STREAM,
          STREAM,
          Buffer.concat([Uint8Array.of(0, 0, 0, request.length >> 8, request.length & 255), request]),
        ),
      ]),
    )
    return null
  }

  protected measure(bytes: Buffer): number {
    if (bytes.length < 4) return PACKET.INCOMPLETE
    const length = bytes.readUIntBE(0, 3)
    // A server's first frame is its SETTINGS: what begins otherwise is another protocol.
    if (length > MAX_FRAME_BYTES || (!this.#hasSettings && bytes[3] !== FRAME.SETTINGS)) return PACKET.INVALID
    return bytes.length < 9 ? PACKET.INCOMPLETE : length + 9
  }

  protected packet(bytes: Buffer, wire: CheckWire): Verdict | null {
    const [type, flags] = [bytes[3], bytes[4]]
    const payload = bytes.subarray(9)
    switch (type) {
      case FRAME.SETTINGS:
        this.#hasSettings = true
        if ((flags & FLAG.ACK) === 0) wire.write(frame(FRAME.SETTINGS, FLAG.ACK, 0, Buffer.alloc(0)))
        return null
      case FRAME.PING:
        if ((flags & FLAG.ACK) === 0) wire.write(frame(FRAME.PING, FLAG.ACK, 0, payload))
        return null
      case FRAME.GOAWAY:
        return payload.length < 8 ? NOT_HTTP2 : fail(`the server refuses the connection: GOAWAY with error ${payload.readUInt32BE(4)}`)
      case FRAME.RST_STREAM:
        return payload.length < 4 ? NOT_HTTP2 : fail(`the server resets the request: error ${payload.readUInt32BE(0)}`)
      case FRAME.HEADERS:
        this.#endsStream = (flags & FLAG.END_STREAM) !== 0
        return this.#addFields(contentOf(payload, flags), flags)
      case FRAME.CONTINUATION:
        return this.#addFields(payload, flags)
      case FRAME.DATA:
        return this.#addData(contentOf(payload, flags & ~FLAG.PRIORITY), flags)
      case FRAME.PUSH_PROMISE:
        return NOT_HTTP2
      default:
        return null
    }
  }

  #addFields(piece: Buffer | undefined, flags: number): Verdict | null {
    if (piece === undefined || this.#fields.length + piece.length > MAX_FIELD_BYTES) return NOT_HTTP2
    this.#fields = Buffer.concat([this.#fields, piece])
    if ((flags & FLAG.END_HEADERS) === 0) return null
    if (!readFields(this.#fields, this.#outcome)) return NOT_HTTP2
    this.#fields = Buffer.alloc(0)
    return this.#endsStream ? this.#judge() : null
  }

  #addData(piece: Buffer | undefined, flags: number): Verdict | null {
    if (piece === undefined) return NOT_HTTP2
    if (this.#message.length + piece.length > MAX_MESSAGE_BYTES) return NOT_GRPC
    this.#message = Buffer.concat([this.#message, piece])
    return (flags & FLAG.END_STREAM) === 0 ? null : this.#judge()
  }

  #judge(): Verdict {
    const { httpStatus, grpcStatus } = this.#outcome
    if (httpStatus !== 200) return fail(httpStatus === undefined ? 'a response without a status' : `HTTP status ${httpStatus}`)
    if (grpcStatus !== 0)
      return fail(grpcStatus === undefined ? 'a response without grpc-status' : `grpc-status ${CODES[grpcStatus] ?? grpcStatus}`)
    const status = servingStatus(this.#message)
    if (status === undefined) return NOT_GRPC
    const name = SERVING[status] ?? `status ${status}`
    return name === 'SERVING' ? pass(name) : fail(`${name}, expected SERVING`)
  }
}

/** Field 1 of HealthCheckRequest, a string. */
function tagged(length: number): Uint8Array {
  return length < 128 ? Uint8Array.of(0x0a, length) : Uint8Array.of(0x0a, (length & 127) | 128, length >> 7)
}

/** Field 1 of HealthCheckResponse, an enum; it is left out where it is 0. undefined where it is something else. */
function servingStatus(message: Buffer): number | undefined {
  if (message.length < 5 || message[0] !== 0 || message.readUInt32BE(1) !== message.length - 5) return undefined
  if (message.length === 5) return 0
  return message.length === 7 && message[5] === 0x08 && message[6] < 128 ? message[6] : undefined
}

/** A payload without padding and priority; undefined where these do not fit. */
function contentOf(payload: Buffer, flags: number): Buffer | undefined {
  const isPadded = (flags & FLAG.PADDED) !== 0
  const start = (isPadded ? 1 : 0) + ((flags & FLAG.PRIORITY) !== 0 ? 5 : 0)
  const end = payload.length - (isPadded ? (payload[0] ?? 0) : 0)
  return end < start || payload.length < start ? undefined : payload.subarray(start, end)
}
