import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Complaint, Path } from '../schema/index.ts'
import { type Finding, formatPath } from './diagnostic.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** A value taken from a file may be a page, not a disk. */
const MAX_FILE_BYTES = 1024 * 1024
const EXPRESSION = /\$(\$\{)|\$\{([^}]*)\}/g
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s

/**
 * Fills in ${NAME}, ${NAME:-default} and ${file:path} in all values (not in keys); "$${" is a plain "${". Files are relative to
 * the file of the configuration and lose the line break at their end.
 */
export class Substitution {
  /** What was written, by the path of the value, so that messages do not show secrets. */
  readonly written = new Map<string, { readonly text: string; readonly value: string; readonly path: Path }>()
  readonly findings: Finding[] = []
  readonly #env: Environment
  readonly #folder: string

  constructor(file: string, env: Environment) {
    this.#env = env
    this.#folder = dirname(resolve(file))
  }

  apply(value: unknown, path: Path = []): unknown {
    if (typeof value === 'string') return value.includes('${') ? this.#text(value, path) : value
    if (Array.isArray(value)) return value.map((item, index) => this.apply(item, [...path, index]))
    if (typeof value !== 'object' || value === null) return value
    const map: Record<string, unknown> = Object.create(null)
    for (const [key, member] of Object.entries(value)) map[key] = this.apply(member, [...path, key])
    return map
  }

  #text(text: string, path: Path): string {
    const complaints: Complaint[] = []
    const value = text.replace(EXPRESSION, (_, escaped: string | undefined, inner: string) => {
      if (escaped !== undefined) return escaped
      const found = inner.startsWith('file:') ? this.#content(inner.slice('file:'.length).trim()) : this.#variable(inner)
      if (typeof found === 'string') return found
      complaints.push(found)
      return ''
    })
    this.written.set(formatPath(path), { text, value, path })
    for (const complaint of complaints) this.findings.push({ path, part: 'value', complaint })
    return value
  }

  #variable(inner: string): string | Complaint {
    const [, name, fallback] = VARIABLE.exec(inner) ?? []
    const code = 'CONFIG_SUBSTITUTION'
    if (name === undefined || fallback?.includes('${')) {
      const hint = 'write ${NAME}, ${NAME:-default} or ${file:path}, not nested; $${ is a plain ${'
      return { code, message: `"\${${inner}}" is no substitution`, hint }
    }
    const value = this.#env[name]
    // As in a shell, ":-" stands in for an empty variable too.
    if (fallback !== undefined && (value === undefined || value === '')) return fallback
    return value ?? { code, message: `the environment variable ${name} is not set`, hint: `\${${name}:-default} gives it a default` }
  }

  #content(path: string): string | Complaint {
    const code = 'CONFIG_SUBSTITUTION'
    try {
      const file = resolve(this.#folder, path)
      if (statSync(file).size > MAX_FILE_BYTES) return { code, message: `the file ${JSON.stringify(path)} has more than 1 MiB` }
      return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file)).replace(/\r?\n$/, '')
    } catch (error) {
      return { code, message: `the file ${JSON.stringify(path)} cannot be read: ${explainReadError(error)}` }
    }
  }
}

/** Why a file could not be read, without its whole path. */
export function explainReadError(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'ENOENT':
      return 'there is no such file'
    case 'EACCES':
      return 'permission denied'
    case 'EISDIR':
      return 'it is a folder'
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'it is not UTF-8'
    default:
      return message
  }
}
