import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { program, programVersion } from '../../test/support/needs.ts'
import { haproxyConfig } from './haproxy.ts'
import { nginxConfig } from './nginx.ts'

export type ContenderName = 'evener' | 'evener-portable' | 'nginx' | 'haproxy'

/** A proxy under test: one worker or thread, routes, counters and forwarded fields on, access log off. */
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

const BINARY = join(import.meta.dirname, '../../bin/evener.js')

export function contenders(version: string): Record<ContenderName, Contender> {
  return {
    evener: evener('evener', version, 'auto'),
    'evener-portable': evener('evener-portable', version, 'portable'),
    nginx: {
      name: 'nginx',
      version: programVersion('nginx').replace(/^.*nginx\//, ''),
      variants: ['buffered', 'large buffers', 'unbuffered'],
      command(folder, port, originPort, variant) {
        const file = join(folder, `nginx-${port}.conf`)
        writeFileSync(file, nginxConfig(folder, port, originPort, variant))
        return [program('nginx'), '-p', folder, '-e', 'stderr', '-c', file]
      },
    },
    haproxy: {
      name: 'haproxy',
      version: programVersion('haproxy').replace(/^.*version (\S+).*$/, '$1'),
      variants: ['bufsize 16k', 'bufsize 64k', 'splice'],
      command(folder, port, originPort, variant) {
        const file = join(folder, `haproxy-${port}.cfg`)
        writeFileSync(file, haproxyConfig(port, originPort, variant))
        return [program('haproxy'), '-db', '-f', file]
      },
    },
  }
}

function evener(name: ContenderName, version: string, engine: string): Contender {
  return {
    name,
    version,
    variants: ['as it comes'],
    command(folder, port, originPort) {
      const file = join(folder, `evener-${port}.json`)
      const config = {
        workers: 1,
        engine,
        admin: { bind: '127.0.0.1:0' },
        timeouts: { idle: '300s' },
        listeners: {
          web: {
            bind: `127.0.0.1:${port}`,
            http: {
              routes: [
                { match: { host: 'images.bench.test' }, pool: 'origin' },
                { match: { path: '/api/*' }, pool: 'origin' },
                { match: { path: '/static/*' }, pool: 'origin' },
                { pool: 'origin' },
              ],
            },
          },
        },
        pools: { origin: { algorithm: 'round-robin', servers: [{ name: 'a', address: `127.0.0.1:${originPort}` }] } },
      }
      writeFileSync(file, JSON.stringify(config, null, 2))
      return [process.execPath, BINARY, 'run', '-c', file]
    },
  }
}
