/**
 * observe: metrics, access log, events.
 *
 * In: numbers and records from the workers' hot paths. Out: the Prometheus page, lines in a file, lines for the operator. Workers
 * write into memory of their own and never wait; the control thread adds up, formats and writes.
 */
export { openLog } from './access-log/file.ts'
export { LineWriter, MAX_LINE_BYTES } from './access-log/line-writer.ts'
export type { LogOutput } from './access-log/log-writer.ts'
export { ACCESS_LOG_VARIABLES, type AccessLogVariable, LogRecord, NO_HTTP } from './access-log/record.ts'
export { AccessLogSink, type LogChunk, type LogPort } from './access-log/sink.ts'
export type { AccessLogFormat } from './config.ts'
export { createEventLog, type EventLevel, type EventLog, type EventStream } from './event-log.ts'
export { EXPOSITION_TYPE, Exposition, type Sample } from './exposition.ts'
export { type HistogramTotals, observeDuration, quantileMs } from './histogram.ts'
export { type MetricDefinition, MetricsTable, OBSERVE_METRICS, type Series, SeriesAllocator } from './metrics.ts'
