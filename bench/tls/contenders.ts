import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { program, programVersion } from '../../test/support/needs.ts'
import type { Contender } from '../http/contenders.ts'
import { haproxyConfig } from '../http/haproxy.ts'
import { nginxConfig } from '../http/nginx.ts'

export type KeyType = 'ecdsa' | 'rsa'

const BINARY = join(import.meta.dirname, '../../bin/evener.js')

/** The proxies with the same certificate, ciphers and key exchange in front of the same origin. */
export function secureContenders(version: string, folder: string, key: KeyType): readonly Contender[] {
  const certificate = makeCertificate(folder, key)
  return [evener(version, certificate), nginx(certificate), haproxy(certificate)]
}

interface Certificate {
  readonly cert: string
  readonly key: string
}

function makeCertificate(folder: string, type: KeyType): Certificate {
  const [cert, key] = [join(folder, `${type}.pem`), join(folder, `${type}.key`)]
  const kind = type === 'rsa' ? ['-newkey', 'rsa:2048'] : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  const subject = ['-subj', '/CN=bench.test', '-addext', 'subjectAltName=DNS:bench.test']
  execFileSync(program('openssl'), ['req', '-x509', ...kind, '-nodes', '-days', '7', ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  return { cert, key }
}

function evener(version: string, { cert, key }: Certificate): Contender {
  return {
    name: 'evener',
    version,
    variants: ['as it comes'],
    isSecure: true,
    command(folder, port, originPort) {
      const file = join(folder, `evener-${port}.json`)
      const tls = { certificates: { cert, key }, curves: ['X25519'] }
      const routes = [
        { match: { host: 'images.bench.test' }, pool: 'origin' },
        { match: { path: '/api/*' }, pool: 'origin' },
        { match: { path: '/static/*' }, pool: 'origin' },
        { pool: 'origin' },
      ]
      const config = {
        workers: 1,
        admin: { bind: '127.0.0.1:0' },
        timeouts: { idle: '300s' },
        listeners: { web: { bind: `127.0.0.1:${port}`, tls, http: { routes } } },
        pools: { origin: { servers: [{ name: 'a', address: `127.0.0.1:${originPort}` }] } },
      }
      writeFileSync(file, JSON.stringify(config, null, 2))
      return [process.execPath, BINARY, 'run', '-c', file]
    },
  }
}

function nginx(certificate: Certificate): Contender {
  return {
    name: 'nginx',
    version: programVersion('nginx').replace(/^.*nginx\//, ''),
    variants: ['buffered', 'large buffers', 'unbuffered'],
    isSecure: true,
    command(folder, port, originPort, variant) {
      const file = join(folder, `nginx-${port}.conf`)
      writeFileSync(file, nginxConfig(folder, port, originPort, variant, certificate))
      return [program('nginx'), '-p', folder, '-e', 'stderr', '-c', file]
    },
  }
}

function haproxy({ cert, key }: Certificate): Contender {
  return {
    name: 'haproxy',
    version: programVersion('haproxy').replace(/^.*version (\S+).*$/, '$1'),
    variants: ['bufsize 16k', 'bufsize 64k'],
    isSecure: true,
    command(folder, port, originPort, variant) {
      const [file, pem] = [join(folder, `haproxy-${port}.cfg`), join(folder, `haproxy-${port}.pem`)]
      writeFileSync(pem, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'))
      writeFileSync(file, haproxyConfig(port, originPort, variant, pem))
      return [program('haproxy'), '-db', '-f', file]
    },
  }
}
