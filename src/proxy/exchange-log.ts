import { type ClientAddress, formatIp } from '../core/index.ts'
import { type Engine, type Secure, Timer, type TimerTarget } from '../engine/index.ts'
import { FIELD } from '../http/index.ts'
import { type AccessLogSink, LogRecord, NO_HTTP } from '../observe/index.ts'
import type { ExchangeLog } from './counters.ts'
import type { DatagramSession } from './datagram/session.ts'
import { SESSION_ENDS } from './datagram/termination.ts'
import type { DownstreamConnection } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import { literal } from './literal.ts'
import type { ListenerSite } from './site.ts'
import type { Stream } from './stream/stream.ts'
import { STREAM_ENDS } from './stream/termination.ts'
import { TERMINATIONS } from './termination.ts'

/** Milliseconds that lines may wait for others before they go to the control thread together. */
const FLUSH_MS = 50
/** RFC 7239 §6.2, for clients on a Unix socket. */
const UNKNOWN = literal('unknown')
/** Where no access log is configured. */
export const NO_LOG: ExchangeLog = { write() {}, writeStream() {}, writeSession() {}, writeRefused() {} }

/** Writes a line for each exchange. The first of a chunk arms the timer that sends the chunk off. */
export class ExchangeLogger implements ExchangeLog, TimerTarget {
  readonly #sink: AccessLogSink
  readonly #engine: Engine
  readonly #record = new LogRecord()
  readonly #timer: Timer

  constructor(engine: Engine, sink: AccessLogSink) {
    this.#engine = engine
    this.#sink = sink
    this.#timer = new Timer(this)
  }

  expired(): void {
    this.#sink.flush()
  }

  write(exchange: Exchange): void {
    const record = this.#record
    const downstream = exchange.downstream as DownstreamConnection
    fillRequest(record, exchange)
    record.timeMs = exchange.worker.engine.wallClock()
    record.client = downstream.clientBytes
    record.status = exchange.status
    record.bytesIn = exchange.requestBytes
    record.bytesOut = exchange.responseBytes
    record.durationMs = exchange.worker.engine.now() - exchange.startMs
    record.firstByteMs = exchange.firstByteMs === 0 ? -1 : exchange.firstByteMs - exchange.startMs
    record.attempts = exchange.attempts
    record.queueMs = exchange.queuePosition === -1 ? -1 : exchange.queueMs
    record.queuePosition = exchange.queuePosition
    record.listener = (exchange.site as ListenerSite).name
    record.route = exchange.route?.id ?? ''
    record.pool = exchange.pool?.name ?? ''
    record.server = exchange.serverIndex === -1 ? '' : (exchange.pool?.servers[exchange.serverIndex].name ?? '')
    record.termination = TERMINATIONS[exchange.termination].name
    fillTls(record, downstream.connection.secure)
    this.#send(record)
  }

  writeStream(stream: Stream): void {
    const record = this.#record
    const { site, route, worker, serverIndex } = stream
    forgetRequest(record)
    record.timeMs = worker.engine.wallClock()
    record.client = stream.address.family === 0 ? UNKNOWN : literal(formatIp(stream.address))
    record.bytesIn = stream.bytesIn
    record.bytesOut = stream.bytesOut
    record.durationMs = worker.engine.now() - stream.startMs
    record.firstByteMs = stream.firstByteMs === 0 ? -1 : stream.firstByteMs - stream.startMs
    record.attempts = stream.attempts
    record.listener = site.name
    record.route = route?.id ?? ''
    record.pool = route?.pool.name ?? ''
    record.server = serverIndex === -1 ? '' : (route?.pool.servers[serverIndex].name ?? '')
    record.termination = STREAM_ENDS[stream.termination].name
    fillTls(record, stream.client.secure)
    this.#send(record)
  }

  writeSession(session: DatagramSession): void {
    const record = this.#record
    const { site, worker, serverIndex, address } = session
    forgetRequest(record)
    record.timeMs = worker.engine.wallClock()
    record.client = address.family === 0 ? UNKNOWN : literal(formatIp(address))
    record.bytesIn = session.bytesIn
    record.bytesOut = session.bytesOut
    record.durationMs = worker.engine.now() - session.startMs
    record.firstByteMs = session.firstByteMs === 0 ? -1 : session.firstByteMs - session.startMs
    record.attempts = 1
    record.listener = site.name
    record.route = site.id
    record.pool = session.pool.name
    record.server = session.pool.servers[serverIndex].name
    record.termination = SESSION_ENDS[session.termination].name
    fillTls(record, null)
    this.#send(record)
  }

  writeRefused(listener: string, client: ClientAddress, reason: string, bytesIn: number): void {
    const record = this.#record
    forgetRequest(record)
    record.timeMs = this.#engine.wallClock()
    record.client = client.family === 0 ? UNKNOWN : literal(formatIp(client))
    record.bytesIn = bytesIn
    record.bytesOut = 0
    record.durationMs = 0
    record.firstByteMs = -1
    record.attempts = 0
    record.listener = listener
    record.route = record.pool = record.server = ''
    record.termination = reason
    fillTls(record, null)
    this.#send(record)
  }

  #send(record: LogRecord): void {
    if (this.#sink.write(this.#engine.memory, record)) this.#engine.timers.arm(this.#timer, FLUSH_MS)
  }
}

/** What only a request has. */
function forgetRequest(record: LogRecord): void {
  record.methodStart = record.methodEnd = 0
  record.uriStart = record.uriEnd = 0
  record.hostStart = record.hostEnd = 0
  record.userAgentStart = record.userAgentEnd = 0
  record.refererStart = record.refererEnd = 0
  record.minorVersion = NO_HTTP
  record.status = 0
}

/** A request that was refused has no head that anything could be read from. */
function fillRequest(record: LogRecord, exchange: Exchange): void {
  const { request } = exchange
  const isReadable = exchange.headBlock !== -1
  record.methodStart = isReadable ? request.methodStart : 0
  record.methodEnd = isReadable ? request.methodEnd : 0
  record.uriStart = isReadable ? request.targetStart : 0
  record.uriEnd = isReadable ? request.targetEnd : 0
  record.hostStart = isReadable ? request.authorityStart : 0
  record.hostEnd = isReadable ? request.authorityEnd : 0
  record.minorVersion = request.minorVersion
  const userAgent = isReadable ? request.fields.find(FIELD.USER_AGENT) : -1
  record.userAgentStart = userAgent === -1 ? 0 : request.fields.valueStart(userAgent)
  record.userAgentEnd = userAgent === -1 ? 0 : request.fields.valueEnd(userAgent)
  const referer = isReadable ? request.fields.find(FIELD.REFERER) : -1
  record.refererStart = referer === -1 ? 0 : request.fields.valueStart(referer)
  record.refererEnd = referer === -1 ? 0 : request.fields.valueEnd(referer)
}

function fillTls(record: LogRecord, secure: Secure | null): void {
  record.tlsVersion = secure === null ? '' : secure.version
  record.tlsCipher = secure === null ? '' : secure.cipher
  record.serverName = secure === null ? '' : secure.serverName
  record.ja3 = secure === null ? '' : secure.ja3
  record.ja4 = secure === null ? '' : secure.ja4
}
