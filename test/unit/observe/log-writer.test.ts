import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { FULL_PIPE_RETRY_MS, LOOK_MS, type LogFile, LogWriter, RETRY_MS } from '../../../src/observe/access-log/log-writer.ts'
import { openLog } from '../../../src/observe/index.ts'
import { temporaryFolder } from '../../support/cleanup.ts'

/** Files in memory, with faults on demand, and time that stands still until the test moves it. */
class Disk {
  readonly contents = new Map<number, string>()
  readonly names = new Map<string, number>()
  readonly reports: string[] = []
  readonly delays: number[] = []
  openFiles = 0
  fault: NodeJS.ErrnoException | null = null
  bytesPerWrite = Number.POSITIVE_INFINITY
  nowMs = 10_000
  #scheduled: (() => void)[] = []
  #next = 1

  writer(path = 'log'): LogWriter {
    return new LogWriter(path, {
      files: { open: (name) => this.#open(name), identify: (name) => this.#identify(name) },
      report: (message) => this.reports.push(message),
      schedule: (callback, delayMs) => {
        this.delays.push(delayMs)
        this.#scheduled.push(callback)
      },
      now: () => this.nowMs,
    })
  }

  read(name: string): string {
    return this.contents.get(this.names.get(name) ?? -1) ?? ''
  }

  rename(from: string, to: string): void {
    this.names.set(to, this.names.get(from) as number)
    this.names.delete(from)
  }

  fail(code: string): void {
    this.fault = Object.assign(new Error(code), { code })
  }

  elapse(): void {
    for (const callback of this.#scheduled.splice(0)) callback()
  }

  async #open(name: string): Promise<LogFile> {
    if (this.fault !== null) throw this.fault
    const ino = this.names.get(name) ?? this.#next++
    this.names.set(name, ino)
    this.openFiles++
    return {
      stat: async () => ({ dev: 1, ino }),
      close: async () => void this.openFiles--,
      write: async (bytes, offset, length) => {
        if (this.fault !== null) throw this.fault
        const bytesWritten = Math.min(length, this.bytesPerWrite)
        this.contents.set(ino, (this.contents.get(ino) ?? '') + Buffer.from(bytes).toString('latin1', offset, offset + bytesWritten))
        return { bytesWritten }
      },
    }
  }

  async #identify(name: string): Promise<string> {
    const ino = this.names.get(name)
    if (ino === undefined) throw new Error('ENOENT')
    return `1:${ino}`
  }
}

function write(writer: LogWriter, text: string): Promise<void> {
  return new Promise((resolve) => writer.write(Buffer.from(text), resolve))
}

/** Lets everything that has been started come to rest. */
async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await null
}

describe('access log writer', () => {
  it('appends chunks in their order, and gives each back when it is written', async () => {
    const disk = new Disk()
    const writer = disk.writer()
    disk.bytesPerWrite = 3
    await Promise.all([write(writer, 'first line\n'), write(writer, 'second\n'), write(writer, 'third\n')])
    await write(writer, 'fourth\n')
    assert.equal(disk.read('log'), 'first line\nsecond\nthird\nfourth\n')
    await writer.close()
    assert.equal(disk.openFiles, 0)
  })

  it('keeps chunks while the disk is full, says so once, and goes on without a loss', async () => {
    const disk = new Disk()
    const writer = disk.writer()
    await write(writer, 'a\n')
    disk.fail('ENOSPC')
    let given = 0
    for (const text of ['b\n', 'c\n']) writer.write(Buffer.from(text), () => given++)
    for (let i = 0; i < 3; i++) {
      await settle()
      disk.elapse()
    }
    await settle()
    assert.equal(given, 0)
    assert.deepEqual(disk.reports, [
      'access log log cannot be written: the disk is full (ENOSPC); lines wait, and are dropped when too many do',
    ])
    assert.ok(disk.delays.every((delay) => delay === RETRY_MS))
    disk.fault = null
    disk.elapse()
    await settle()
    assert.equal(given, 2)
    assert.equal(disk.read('log'), 'a\nb\nc\n')
    assert.deepEqual(disk.reports.slice(1), ['access log log can be written again'])
    disk.fail('EACCES')
    writer.write(Buffer.from('d\n'), () => given++)
    await settle()
    assert.equal(disk.reports.length, 3, 'a new failure is reported anew')
    await writer.close()
    assert.equal(given, 3, 'what cannot be written when it closes is given up')
  })

  it('does not try again with every chunk while it waits', async () => {
    const disk = new Disk()
    disk.fail('EACCES')
    const writer = disk.writer()
    for (let i = 0; i < 50; i++) {
      writer.write(Buffer.from('x\n'), () => undefined)
      await settle()
    }
    writer.reopen()
    await settle()
    assert.equal(disk.delays.length, 1)
    await writer.close()
  })

  it('goes on with the rest of a chunk that was written in part', async () => {
    const disk = new Disk()
    const writer = disk.writer()
    disk.bytesPerWrite = 4
    const open = disk.contents.set.bind(disk.contents)
    let writes = 0
    disk.contents.set = (ino, text) => {
      if (++writes === 2) disk.fail('EIO')
      return open(ino, text)
    }
    const done = write(writer, '0123456789\n')
    await settle()
    disk.fault = null
    disk.elapse()
    await done
    assert.equal(disk.read('log'), '0123456789\n')
    await writer.close()
  })

  it('takes a full pipe for no failure', async () => {
    const disk = new Disk()
    const writer = disk.writer()
    await write(writer, 'a\n')
    disk.fail('EAGAIN')
    const done = write(writer, 'b\n')
    await settle()
    disk.fault = null
    disk.elapse()
    await done
    assert.deepEqual([disk.delays, disk.reports, disk.read('log')], [[FULL_PIPE_RETRY_MS], [], 'a\nb\n'])
    await writer.close()
  })

  it('opens the file anew when it is told to, and when it was renamed or removed', async () => {
    const disk = new Disk()
    const writer = disk.writer()
    await write(writer, 'a\n')
    disk.rename('log', 'log.1')
    await write(writer, 'b\n')
    writer.reopen()
    await write(writer, 'c\n')
    disk.rename('log', 'log.2')
    disk.nowMs += LOOK_MS
    await write(writer, 'd\n')
    disk.names.delete('log')
    disk.nowMs += LOOK_MS
    await write(writer, 'e\n')
    assert.deepEqual([disk.read('log.1'), disk.read('log.2'), disk.read('log')], ['a\nb\n', 'c\n', 'e\n'])
    assert.equal(disk.openFiles, 1)
    await writer.close()
  })

  it('writes what waits before it closes, and takes nothing afterwards', async () => {
    const disk = new Disk()
    const writer = disk.writer()
    void write(writer, 'a\n')
    void write(writer, 'b\n')
    await writer.close()
    await write(writer, 'c\n')
    assert.equal(disk.read('log'), 'a\nb\n')
    assert.equal(disk.openFiles, 0)
  })
})

describe('access log file', () => {
  const path = (t: TestContext): string => join(temporaryFolder(t), 'logs', 'access.log')

  it('is made at once, appended to, and rotated', async (t) => {
    const name = path(t)
    mkdirSync(join(name, '..'))
    const reports: string[] = []
    const log = openLog({ kind: 'file', path: name }, (message) => reports.push(message))
    const write = (text: string): Promise<void> => new Promise((resolve) => log.write(Buffer.from(text), resolve))
    await write('a\n')
    renameSync(name, `${name}.1`)
    log.reopen()
    await write('b\n')
    await log.close()
    const again = openLog({ kind: 'file', path: name }, (message) => reports.push(message))
    again.write(Buffer.from('c\n'), () => undefined)
    await again.close()
    assert.equal(readFileSync(`${name}.1`, 'utf8'), 'a\n')
    assert.equal(readFileSync(name, 'utf8'), 'b\nc\n')
    assert.deepEqual(reports, [])
  })

  it('that cannot be opened is reported, and closing does not hang', async (t) => {
    const name = path(t)
    rmSync(join(name, '..'), { recursive: true, force: true })
    const reports: string[] = []
    const log = openLog({ kind: 'file', path: name }, (message) => reports.push(message))
    log.write(Buffer.from('a\n'), () => undefined)
    await log.close()
    assert.equal(reports.length, 1)
    assert.match(reports[0], /ENOENT/)
  })
})
