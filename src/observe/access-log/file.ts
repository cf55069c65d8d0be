import { write as writeDescriptor } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { AccessLogPlan } from '../config.ts'
import { type LogFileSystem, type LogOutput, LogWriter } from './log-writer.ts'

/** The file, or a standard stream. `report` is told once when writing fails, and once when it goes on. */
export function openLog(target: AccessLogPlan['target'], report: (message: string) => void): LogOutput {
  const surroundings = { report, schedule, now: () => performance.now() }
  const writer =
    target.kind === 'file'
      ? new LogWriter(target.path, { files: FILES, ...surroundings })
      : new LogWriter(target.kind, { files: descriptorFiles(target.kind === 'stdout' ? 1 : 2), ...surroundings })
  writer.open()
  return writer
}

const schedule = (callback: () => void, delayMs: number): void => {
  setTimeout(callback, delayMs).unref()
}

const FILES: LogFileSystem = {
  open: (path) => open(path, 'a', 0o640),
  identify: async (path) => identityOf(await stat(path)),
}

function identityOf(stats: { readonly dev: number; readonly ino: number }): string {
  return `${stats.dev}:${stats.ino}`
}

/**
 * A standard stream as a file that is always there. It is written by its descriptor in the thread pool, because
 * process.stdout waits for the reader of a pipe, and with it would everything else in the control thread.
 */
function descriptorFiles(descriptor: number): LogFileSystem {
  const write = (bytes: Uint8Array, offset: number, length: number): Promise<{ bytesWritten: number }> =>
    new Promise((resolve, reject) => {
      writeDescriptor(descriptor, bytes, offset, length, null, (error, bytesWritten) =>
        error === null ? resolve({ bytesWritten }) : reject(error),
      )
    })
  const file = { write, stat: () => Promise.resolve({ dev: 0, ino: 0 }), close: () => Promise.resolve() }
  return { open: () => Promise.resolve(file), identify: () => Promise.resolve('0:0') }
}
