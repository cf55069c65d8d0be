import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { mustStaple } from '../core/index.ts'
import type { CheckPlan, CheckTlsPlan, PoolPlan, TlsPoolPlan } from '../pool/config.ts'
import type { CertificatePlan, TlsListenerPlan } from '../proxy/config.ts'
import type { ConfigCode, Path } from '../schema/index.ts'
import type { Finding } from './diagnostic.ts'
import type { Plan } from './plan.ts'
import { explainReadError } from './substitute.ts'

/** Where the file stands that a part of the configuration was written in: what its paths are relative to. */
export type FolderOf = (path: Path) => string

/** The plan with paths of certificates and keys that no longer depend on which file they were written in. */
export function resolveTlsFiles(plan: Plan, folderOf: FolderOf): Plan {
  const { acme } = plan
  const main = (file: string): string => resolve(folderOf(['acme']), file)
  return {
    ...plan,
    acme: acme && { ...acme, storage: main(acme.storage), ca: acme.ca && main(acme.ca) },
    pools: plan.pools.map((pool) => resolveWholePool(pool, (file) => resolve(folderOf(['pools', pool.name]), file))),
    listeners: plan.listeners.map((listener) => {
      const { name, tls } = listener
      return tls === undefined
        ? listener
        : { ...listener, tls: resolveListener(tls, (file) => resolve(folderOf(['listeners', name]), file), main) }
    }),
  }
}

/** The store of certificates by ACME is where the main file says, whichever file names the certificate. */
function resolveListener(tls: TlsListenerPlan, absolute: (file: string) => string, main: (file: string) => string): TlsListenerPlan {
  const asked = tls.clientCertificates
  return {
    ...tls,
    certificates: tls.certificates.map(({ cert, key, ocsp, acme, ...rest }) => ({
      ...rest,
      cert: acme === undefined ? absolute(cert) : main(cert),
      key: acme === undefined ? absolute(key) : main(key),
      ocsp: ocsp && absolute(ocsp),
      ...(acme && { acme }),
    })),
    clientCertificates: asked && { ...asked, ca: absolute(asked.ca) },
  }
}

function resolveWholePool(pool: PoolPlan, absolute: (file: string) => string): PoolPlan {
  const { tls, check } = pool
  const checkTls = tlsOf(check)
  return {
    ...pool,
    tls: tls && resolvePool(tls, absolute),
    check: check && checkTls && 'tls' in check ? { ...check, tls: resolvePool(checkTls, absolute) } : check,
  }
}

/** How a check speaks TLS; undefined where it does not. */
function tlsOf(check: CheckPlan | undefined): CheckTlsPlan | undefined {
  return check !== undefined && 'tls' in check ? check.tls : undefined
}

function resolvePool<T extends Pick<TlsPoolPlan, 'ca' | 'certificate'>>(tls: T, absolute: (file: string) => string): T {
  const { ca, certificate } = tls
  return {
    ...tls,
    ca: ca && absolute(ca),
    certificate: certificate && { cert: absolute(certificate.cert), key: absolute(certificate.key) },
  }
}

function resolve(folder: string, file: string): string {
  return isAbsolute(file) ? file : join(folder, file)
}

/** Certificates and keys that cannot be read, are none, do not belong together or have expired; ciphers that OpenSSL does not know. */
export function checkTlsFiles(plan: Plan, folderOf: FolderOf): Finding[] {
  const ofListeners = plan.listeners.flatMap(({ name, tls }) =>
    tls === undefined ? [] : new TlsCheck(['listeners', name, 'tls'], folderOf).listener(tls),
  )
  const ofPools = plan.pools.flatMap(({ name, tls }) => (tls === undefined ? [] : new TlsCheck(['pools', name, 'tls'], folderOf).pool(tls)))
  const ofChecks = plan.pools.flatMap(({ name, check, tls: own }) => {
    const tls = tlsOf(check)
    return tls === undefined ? [] : new TlsCheck(['pools', name, 'check', check?.kind ?? ''], folderOf).check(tls, own)
  })
  return [...ofListeners, ...ofPools, ...ofChecks, ...new TlsCheck(['acme'], folderOf).acme(plan.acme?.ca)]
}

class TlsCheck {
  readonly #path: Path
  readonly #folder: string
  readonly #findings: Finding[] = []

  constructor(path: Path, folderOf: FolderOf) {
    this.#path = path
    this.#folder = folderOf(path)
  }

  acme(ca: string | undefined): readonly Finding[] {
    this.#authorities(['ca'], ca)
    return this.#findings
  }

  listener(tls: TlsListenerPlan): readonly Finding[] {
    for (const [index, each] of tls.certificates.entries()) if (each.acme === undefined) this.#certificate(each, ['certificates', index])
    this.#authorities(['clientCertificates', 'ca'], tls.clientCertificates?.ca)
    this.#algorithms(tls)
    return this.#findings
  }

  /** What it takes from the pool is told there. */
  check(tls: CheckTlsPlan, pool: TlsPoolPlan | undefined): readonly Finding[] {
    const isOwn = tls.certificate !== undefined && tls.certificate.cert !== pool?.certificate?.cert
    if (isOwn) this.#certificate({ ...tls.certificate, ocsp: undefined } as CertificatePlan, ['certificate'])
    if (tls.ca !== pool?.ca) this.#authorities(['ca'], tls.ca)
    return this.#findings
  }

  pool(tls: TlsPoolPlan): readonly Finding[] {
    if (tls.certificate !== undefined) this.#certificate({ ...tls.certificate, ocsp: undefined }, ['certificate'])
    this.#authorities(['ca'], tls.ca)
    this.#algorithms(tls)
    return this.#findings
  }

  #authorities(at: Path, ca: string | undefined): void {
    if (ca !== undefined) this.#parse(at, ca, 'certificate', (text) => new X509Certificate(text))
  }

  #algorithms(tls: Pick<TlsListenerPlan, 'ciphers' | 'suites' | 'groups'>): void {
    this.#names('ciphers', 'cipher', tls.ciphers.split(':').concat(tls.suites.split(':')), (ciphers) => createSecureContext({ ciphers }))
    this.#names('curves', 'group', tls.groups.split(':'), (ecdhCurve) => createSecureContext({ ecdhCurve }))
  }

  #certificate({ cert, key, ocsp, fetchesOcsp }: CertificatePlan, at: Path): void {
    const certificate = this.#parse([...at, 'cert'], cert, 'certificate', (text) => new X509Certificate(text))
    const secret = this.#parse([...at, 'key'], key, 'private key', readKey)
    if (ocsp !== undefined) this.#read([...at, 'ocsp'], ocsp)
    if (certificate === undefined) return
    if (fetchesOcsp === true) this.#responder(certificate, cert, [...at, 'ocsp'])
    else if (ocsp === undefined && this.#path[0] === 'listeners') this.#staple(certificate, [...at, 'cert'])
    if (secret !== undefined && !certificate.checkPrivateKey(secret)) {
      const message = `the key does not belong to the certificate in ${cert}`
      this.#complain([...at, 'key'], 'CONFIG_CERTIFICATE', message, `the certificate is for ${certificate.subject.replaceAll('\n', ', ')}`)
    }
    const until = new Date(certificate.validTo)
    if (until.getTime() > Date.now()) return
    const day = until.toISOString().slice(0, 10)
    this.#warn([...at, 'cert'], 'CONFIG_CERTIFICATE_EXPIRED', `the certificate expired on ${day}, and clients refuse it`)
  }

  /** Whether a response can be fetched. */
  #responder(certificate: X509Certificate, file: string, at: Path): void {
    const isNamed = /^OCSP - URI:http:/m.test(certificate.infoAccess ?? '')
    const isAlone =
      (this.#read([...at.slice(0, -1), 'cert'], file)
        ?.toString('latin1')
        .split('-----BEGIN CERTIFICATE-----').length ?? 0) < 3
    if (isNamed && !isAlone) return
    const why = isNamed ? `the certificate of its issuer does not stand behind it in ${file}` : 'the certificate names no OCSP responder'
    this.#warn(at, 'CONFIG_UNUSED', `nothing will be stapled: ${why}`)
  }

  #staple(certificate: X509Certificate, at: Path): void {
    if (mustStaple(certificate.raw))
      this.#warn(
        at,
        'CONFIG_CERTIFICATE_STAPLE',
        'the certificate demands a stapled OCSP response, and clients refuse it without one',
        'ocsp: fetch',
      )
  }

  #warn(at: Path, code: ConfigCode, message: string, hint?: string): void {
    this.#findings.push({ path: [...this.#path, ...at], part: 'value', complaint: { severity: 'warning', code, message, hint } })
  }

  #parse<T>(at: Path, file: string, what: string, parse: (text: Buffer) => T): T | undefined {
    const content = this.#read(at, file)
    if (content === undefined) return undefined
    try {
      return parse(content)
    } catch (error) {
      const isEncrypted = content.includes('ENCRYPTED')
      const message = isEncrypted
        ? `${file} is encrypted, and nobody is there to ask for its password`
        : `${file} has no ${what} in PEM form`
      const hint = isEncrypted
        ? 'openssl pkey decrypts it'
        : content.includes('-----BEGIN')
          ? explain(error)
          : 'it begins with "-----BEGIN"'
      this.#complain(at, 'CONFIG_CERTIFICATE', message, hint)
      return undefined
    }
  }

  #read(at: Path, file: string): Buffer | undefined {
    try {
      return readFileSync(resolve(this.#folder, file))
    } catch (error) {
      this.#complain(at, 'CONFIG_NOT_READABLE', `${file} cannot be read: ${explainReadError(error)}`)
      return undefined
    }
  }

  /** Tries each name alone, so that the wrong one is named. */
  #names(option: string, what: string, names: readonly string[], accept: (name: string) => void): void {
    for (const name of names) {
      if (name === '') continue
      try {
        accept(name)
      } catch {
        this.#complain([option], 'CONFIG_UNKNOWN_VALUE', `OpenSSL knows no ${what} ${JSON.stringify(name)}`)
      }
    }
  }

  #complain(at: Path, code: ConfigCode, message: string, hint?: string): void {
    this.#findings.push({ path: [...this.#path, ...at], part: 'value', complaint: { code, message, hint } })
  }
}

function readKey(text: Buffer): KeyObject {
  return createPrivateKey(text)
}

function explain(error: unknown): string | undefined {
  return (error as { reason?: string }).reason
}
