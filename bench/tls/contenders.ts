import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { program } from '../../test/support/needs.ts'
import { type Contenders, evener, haproxy, nginx } from '../harness/contender.ts'
import { evenerHttp } from '../http/contenders.ts'
import { haproxyConfig } from '../http/haproxy.ts'
import { nginxConfig } from '../http/nginx.ts'

export type KeyType = 'ecdsa' | 'rsa'

/** The proxies of bench/http with the same certificate, ciphers and key exchange. */
export function secureContenders(key: KeyType): Contenders {
  return {
    evener: {
      ...evener('auto', (place) => evenerHttp(place, { certificates: certificate(place.folder, key), curves: ['X25519'] })),
      isSecure: true,
    },
    nginx: {
      ...nginx(['buffered', 'large buffers', 'unbuffered'], (place) => nginxConfig(place, certificate(place.folder, key))),
      isSecure: true,
    },
    haproxy: {
      ...haproxy(['bufsize 16k', 'bufsize 64k'], (place) => haproxyConfig(place, joined(certificate(place.folder, key)))),
      isSecure: true,
    },
  }
}

interface Certificate {
  readonly cert: string
  readonly key: string
}

/** One for all contenders of a run, made for the first. */
function certificate(folder: string, type: KeyType): Certificate {
  const [cert, key] = [join(folder, `${type}.pem`), join(folder, `${type}.key`)]
  if (existsSync(cert)) return { cert, key }
  const kind = type === 'rsa' ? ['-newkey', 'rsa:2048'] : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  const subject = ['-subj', '/CN=bench.test', '-addext', 'subjectAltName=DNS:bench.test']
  execFileSync(program('openssl'), ['req', '-x509', ...kind, '-nodes', '-days', '7', ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  return { cert, key }
}

/** HAProxy wants certificate and key in one file. */
function joined({ cert, key }: Certificate): string {
  const file = `${cert}.both`
  writeFileSync(file, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'))
  return file
}
