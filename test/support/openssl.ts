import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Cleanup, temporaryFolder } from './cleanup.ts'

export interface IssuedCertificate {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

export interface IssueOptions {
  readonly name: string
  /** More DNS names. */
  readonly names?: readonly string[]
  readonly key?: 'ec' | 'rsa'
  readonly days?: number
}

/** An authority for tests, with openssl(1). Everything is in a folder that is removed afterwards. */
export class Authority {
  readonly folder: string
  readonly certFile: string
  readonly keyFile: string
  #count = 0

  constructor(t: Cleanup, name = 'Test Root') {
    this.folder = temporaryFolder(t)
    this.certFile = join(this.folder, 'root.pem')
    this.keyFile = join(this.folder, 'root.key')
    const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign']
    this.run(
      'req',
      '-x509',
      ...KEYS.ec,
      '-nodes',
      '-days',
      '30',
      '-subj',
      `/CN=${name}`,
      ...extensions,
      '-keyout',
      this.keyFile,
      '-out',
      this.certFile,
    )
  }

  get cert(): string {
    return readFileSync(this.certFile, 'utf8')
  }

  issue({ name, names = [], key = 'ec', days = 30 }: IssueOptions): IssuedCertificate {
    const base = join(this.folder, `${name.replace('*', 'any')}-${key}-${this.#count++}`)
    const [certFile, keyFile, request, extensions] = [`${base}.pem`, `${base}.key`, `${base}.csr`, `${base}.ext`]
    writeFileSync(extensions, `subjectAltName=${[name, ...names].map((each) => `DNS:${each}`).join()},IP:127.0.0.1\n`)
    this.run('req', '-new', ...KEYS[key], '-nodes', '-subj', `/O=Test/CN=${name}`, '-keyout', keyFile, '-out', request)
    const by = ['-CA', this.certFile, '-CAkey', this.keyFile, '-CAcreateserial']
    this.run('x509', '-req', '-in', request, ...by, '-days', String(days), '-extfile', extensions, '-out', certFile)
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
  }

  /** DER of a good OCSP response for a certificate. */
  staple({ certFile }: IssuedCertificate): Buffer {
    const [index, out] = [join(this.folder, 'index.txt'), join(this.folder, 'ocsp.der')]
    const [serial, until] = [this.run('x509', '-in', certFile, '-noout', '-serial').trim().slice('serial='.length), '330101000000Z']
    writeFileSync(index, `V\t${until}\t\t${serial}\tunknown\t/CN=x\n`)
    const signer = ['-rsigner', this.certFile, '-rkey', this.keyFile, '-CA', this.certFile]
    this.run('ocsp', '-index', index, ...signer, '-issuer', this.certFile, '-cert', certFile, '-ndays', '1', '-respout', out)
    return readFileSync(out)
  }

  run(...rest: string[]): string {
    return execFileSync('openssl', rest, { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
  }
}

const KEYS = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-newkey', 'rsa:2048'],
} as const
