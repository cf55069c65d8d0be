import { LogRecord } from '../../src/observe/index.ts'

export interface RecordText {
  client?: string
  method?: string
  uri?: string
  host?: string
  userAgent?: string
  referer?: string
}

/** A record whose ranges point into the memory that comes with it. Strings are taken as bytes (Latin-1). */
export function logRecord(text: RecordText = {}, numbers: Partial<LogRecord> = {}): { memory: Uint8Array; record: LogRecord } {
  const record = new LogRecord()
  const { client = '192.0.2.1', ...ranges } = text
  const pieces = Object.entries(ranges)
  const memory = new Uint8Array(Buffer.from(`padding${pieces.map(([, value]) => value).join('|')}`, 'latin1'))
  let at = 'padding'.length
  const fields = record as unknown as Record<string, number>
  for (const [name, value] of pieces) {
    fields[`${name}Start`] = at
    fields[`${name}End`] = at + value.length
    at += value.length + 1
  }
  record.client = new Uint8Array(Buffer.from(client))
  return { memory, record: Object.assign(record, numbers) }
}
