import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Cleanup } from './cleanup.ts'
import { Authority, type IssuedCertificate } from './openssl.ts'

export type OcspState = 'good' | 'revoked' | 'unknown'

export interface ResponseOptions {
  readonly state?: OcspState
  /** Whoever signs: the authority itself, one that it has appointed, one that it has only issued a certificate for, or somebody else. */
  readonly signer?: 'issuer' | 'appointed' | 'not-appointed' | 'stranger'
  readonly minutes?: number
  readonly digest?: string
}

/** An authority with OCSP: certificates that name a responder, and responses about them, by openssl(1). */
export class OcspAuthority {
  readonly authority: Authority
  readonly #stranger: Authority
  readonly #t: Cleanup

  constructor(t: Cleanup) {
    this.#t = t
    this.authority = new Authority(t)
    this.#stranger = new Authority(t)
  }

  /** With its issuer behind it; `url` is the responder's. */
  issue(url: string, extensions: readonly string[] = []): IssuedCertificate {
    return this.#issue('shop.test', [`authorityInfoAccess=OCSP;URI:${url}`, 'subjectAltName=DNS:shop.test,IP:127.0.0.1', ...extensions])
  }

  /** DER of a response to a request for that certificate. */
  respond(
    certificate: IssuedCertificate,
    { state = 'good', signer = 'issuer', minutes = 60, digest = 'sha256' }: ResponseOptions = {},
  ): Buffer {
    const folder = this.authority.folder
    const out = join(folder, 'response.der')
    const leaf = join(folder, 'leaf.pem')
    writeFileSync(leaf, certificate.cert.slice(0, certificate.cert.indexOf('-----END CERTIFICATE-----') + 26))
    const { certFile, keyFile } = this.#signer(signer)
    const embedded = signer === 'issuer' ? ['-resp_no_certs'] : []
    const by = ['-rsigner', certFile, '-rkey', keyFile, '-rmd', digest, '-CA', this.authority.certFile, ...embedded]
    this.authority.run(
      'ocsp',
      '-index',
      this.#index(leaf, state),
      ...by,
      '-issuer',
      this.authority.certFile,
      '-cert',
      leaf,
      '-nmin',
      String(minutes),
      '-respout',
      out,
    )
    return readFileSync(out)
  }

  /** `openssl ocsp` as a server, for that certificate; ended afterwards. */
  async serve(certificate: IssuedCertificate, port: number): Promise<void> {
    const folder = this.authority.folder
    const leaf = join(folder, 'leaf.pem')
    writeFileSync(leaf, certificate.cert.slice(0, certificate.cert.indexOf('-----END CERTIFICATE-----') + 26))
    const by = ['-rsigner', this.authority.certFile, '-rkey', this.authority.keyFile, '-CA', this.authority.certFile]
    const words = ['ocsp', '-index', this.#index(leaf, 'good'), '-port', String(port), ...by, '-nmin', '60']
    const child = spawn('openssl', words, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#t.after(async () => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    })
    // It is not tried out by a connection: one that closes without a request keeps it busy for ever.
    await new Promise<void>((resolve, reject) => {
      const look = (chunk: Buffer): void => {
        if (chunk.includes('waiting for OCSP client connections')) resolve()
      }
      child.stdout.on('data', look)
      child.stderr.on('data', look)
      child.once('exit', (code) => reject(new Error(`openssl ocsp ended with ${code}`)))
    })
  }

  #signer(kind: ResponseOptions['signer']): { readonly certFile: string; readonly keyFile: string } {
    if (kind === 'issuer') return this.authority
    if (kind === 'stranger') return this.#stranger
    return this.#issue('responder', kind === 'appointed' ? ['extendedKeyUsage=OCSPSigning'] : ['extendedKeyUsage=serverAuth'])
  }

  #issue(name: string, extensions: readonly string[]): IssuedCertificate {
    const base = join(this.authority.folder, `${name}-${Math.random().toString(36).slice(2)}`)
    const [certFile, keyFile, request, file] = [`${base}.pem`, `${base}.key`, `${base}.csr`, `${base}.ext`]
    writeFileSync(file, `${extensions.join('\n')}\n`)
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    this.authority.run('req', '-new', ...key, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', request)
    const by = ['-CA', this.authority.certFile, '-CAkey', this.authority.keyFile, '-CAcreateserial']
    this.authority.run('x509', '-req', '-in', request, ...by, '-days', '2', '-extfile', file, '-out', certFile)
    const cert = readFileSync(certFile, 'utf8') + this.authority.cert
    writeFileSync(certFile, cert)
    return { certFile, keyFile, cert, key: readFileSync(keyFile, 'utf8') }
  }

  #index(leaf: string, state: OcspState): string {
    const file = join(this.authority.folder, 'index.txt')
    const serial = this.authority.run('x509', '-in', leaf, '-noout', '-serial').trim().slice('serial='.length)
    const [flag, revoked] = state === 'revoked' ? ['R', '260101000000Z'] : ['V', '']
    writeFileSync(file, state === 'unknown' ? '' : `${flag}\t330101000000Z\t${revoked}\t${serial}\tunknown\t/CN=shop.test\n`)
    if (!existsSync(`${file}.attr`)) writeFileSync(`${file}.attr`, 'unique_subject = no\n')
    return file
  }
}

/** A responder that answers whatever it is told to. */
export async function responder(
  t: Cleanup,
  answer: (body: Buffer) => Buffer | null,
): Promise<{ readonly url: string; readonly asked: number }> {
  let asked = 0
  const server = createHttpServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      asked++
      const body = answer(Buffer.concat(pieces))
      if (body !== null) response.end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/ocsp`,
    get asked() {
      return asked
    },
  }
}
