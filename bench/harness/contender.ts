import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../../scripts/test/packages.ts'
import { program, programVersion } from '../../test/support/needs.ts'
import { packageVersion } from './machine.ts'

/** A proxy under test: one worker or thread, access log off. */
export interface Contender {
  readonly name: string
  readonly version: string
  /**
   * Ways to set it up, the usual one first. Where a case asks for it, each is tried and the one that costs least CPU per
   * request takes part.
   */
  readonly variants: readonly string[]
  /** It serves over TLS. */
  readonly isSecure?: boolean
  /** Writes the configuration into the folder and returns the command that runs it in the foreground. */
  command(folder: string, port: number, originPort: number, variant: string): readonly string[]
}

/** By name; the first of a case is the one that the others are compared with. */
export type Contenders = Readonly<Record<string, Contender>>

/** What a contender's configuration is written from. */
export interface Place {
  readonly folder: string
  readonly port: number
  readonly originPort: number
  readonly variant: string
}

const BINARY = join(import.meta.dirname, '../../bin/evener.js')

/** Evener with one worker and a pool `origin` of one server; `parts` is the rest of its configuration. */
export function evener(engine: 'auto' | 'portable', parts: (place: Place) => object): Contender {
  return {
    name: engine === 'auto' ? 'evener' : 'evener-portable',
    version: packageVersion(),
    variants: ['as it comes'],
    command(folder, port, originPort, variant) {
      const file = join(folder, `evener-${port}.json`)
      const pools = { origin: { algorithm: 'round-robin', servers: [{ name: 'a', address: `127.0.0.1:${originPort}` }] } }
      const config = { workers: 1, engine, admin: { bind: '127.0.0.1:0' }, pools, ...parts({ folder, port, originPort, variant }) }
      writeFileSync(file, JSON.stringify(config, null, 2))
      return [process.execPath, BINARY, 'run', '-c', file]
    },
  }
}

export function nginx(variants: readonly string[], configure: (place: Place) => string): Contender {
  return {
    name: 'nginx',
    version: versionOf('nginx', /^.*nginx\//),
    variants,
    command(folder, port, originPort, variant) {
      const file = join(folder, `nginx-${port}.conf`)
      writeFileSync(file, configure({ folder, port, originPort, variant }))
      return [program('nginx'), '-p', folder, '-e', 'stderr', '-c', file]
    },
  }
}

export function haproxy(variants: readonly string[], configure: (place: Place) => string): Contender {
  return {
    name: 'haproxy',
    version: versionOf('haproxy', /^.*version | .*$/g),
    variants,
    command(folder, port, originPort, variant) {
      const file = join(folder, `haproxy-${port}.cfg`)
      writeFileSync(file, configure({ folder, port, originPort, variant }))
      return [program('haproxy'), '-db', '-f', file]
    },
  }
}

/** What is left of the program's line about itself; '' where it is not installed, which readFlags() reports. */
function versionOf(name: string, surroundings: RegExp): string {
  return findProgram(name) === undefined ? '' : programVersion(name).replace(surroundings, '')
}
