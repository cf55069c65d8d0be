import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EvenerError } from '../core/index.ts'

/** What was set in /proc/sys, to be set back. */
export class Sysctls {
  readonly #before: Map<string, string>

  /** `before`: what an earlier process set and did not set back, by path. */
  constructor(before: Readonly<Record<string, string>> = {}) {
    this.#before = new Map(Object.entries(before))
  }

  get before(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#before)
  }

  set(name: string, value: string): void {
    const path = join('/proc/sys', name)
    if (!existsSync(path)) return
    const before = readFileSync(path, 'utf8').trim()
    if (before === value) return
    try {
      writeFileSync(path, value)
    } catch (cause) {
      const setting = name.replaceAll('/', '.')
      throw new EvenerError('PACKET_FORBIDDEN', `${setting} is ${before} and may not be set to ${value}: /proc/sys is read-only here`, {
        cause,
      })
    }
    if (!this.#before.has(path)) this.#before.set(path, before)
  }

  changes(): string[] {
    return [...this.#before].map(([path, before]) => `${nameOf(path)} = ${readFileSync(path, 'utf8').trim()} (was ${before})`)
  }

  /** Sets back what was set, or what of it has `part` in its path. Returns what was done, a line each. */
  restore(part = ''): string[] {
    const lines: string[] = []
    for (const [path, value] of this.#before) {
      if (!path.includes(part)) continue
      this.#before.delete(path)
      if (!existsSync(path)) continue
      writeFileSync(path, value)
      lines.push(`${nameOf(path)} = ${value} again`)
    }
    return lines
  }
}

function nameOf(path: string): string {
  return path.slice('/proc/sys/'.length).replaceAll('/', '.')
}
