import { z } from 'zod'
import {
  always,
  type ChallengeKind,
  certificateName,
  challengeKind,
  duration,
  fieldName,
  type KeyType,
  keyType,
  oneOrMore,
  options,
} from '../schema/index.ts'
import type { CertificatePlan, TlsListenerPlan } from './tls-plan.ts'

/** TLS 1.2 with forward secrecy and authenticated encryption only. */
const DEFAULT_CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
]
const SUITES = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']
const DEFAULT_CURVES = ['X25519MLKEM768', 'X25519', 'P-256', 'P-384']

const file = z.string().min(1).max(4096)
const version = z.enum(['1.2', '1.3'])
const algorithmName = z.string().regex(/^[A-Za-z0-9_+-]{1,64}$/, 'a name of OpenSSL has letters, digits, "-", "_" and "+"')

const certificate = options({
  cert: file
    .optional()
    .describe('PEM file with the certificate and, behind it, those that lead to its root.')
    .meta({ examples: ['site.pem'] }),
  key: file
    .optional()
    .describe('PEM file with the private key.')
    .meta({ examples: ['site.key'] }),
  ocsp: file
    .optional()
    .describe(
      '"fetch" asks the responder that the certificate names for an OCSP response, verifies it and staples it to handshakes; else a file with one (DER).',
    )
    .meta({ examples: ['fetch'] }),
  acme: oneOrMore(certificateName)
    .optional()
    .describe('Names for which a certificate is ordered and renewed, as the top-level `acme` says; instead of `cert` and `key`.')
    .meta({ examples: [['shop.test', 'www.shop.test']] }),
  challenge: challengeKind.optional().describe('For these names; else what `acme.challenge` says.'),
  keyType: keyType.optional().describe('For this certificate; else what `acme.keyType` says.'),
}).check(
  always((value, report) => {
    const isGiven = (key: string): boolean => value[key] !== undefined
    if (!isGiven('acme')) {
      for (const key of ['cert', 'key'])
        if (!isGiven(key)) report({ code: 'CONFIG_MISSING', message: 'a certificate needs "cert" and "key", or "acme"' }, [key])
      for (const key of ['challenge', 'keyType'])
        if (isGiven(key)) report({ code: 'CONFIG_CONFLICT', message: `"${key}" is for certificates with "acme"` }, [key])
      return
    }
    if (isGiven('ocsp') && value['ocsp'] !== 'fetch')
      report({ code: 'CONFIG_CONFLICT', message: 'a file with a response and "acme" do not go together', hint: 'ocsp: fetch' }, ['ocsp'])
    for (const key of ['cert', 'key'])
      if (isGiven(key)) report({ code: 'CONFIG_CONFLICT', message: `"${key}" and "acme" do not go together` }, [key])
  }),
)

const clientCertificates = options({
  mode: z
    .enum(['request', 'require'])
    .default('require')
    .describe('"request" also lets clients in that show none. One that is shown must be good.'),
  ca: file.describe('PEM file with the authorities that may have signed it.'),
  header: fieldName
    .default('X-Client-Subject')
    .describe('Field that tells the server the subject (RFC 2253). One that a client sends is removed.'),
})

/** What listeners and pools choose alike. */
export const tlsShape = {
  minVersion: version.default('1.2').describe('Lowest version.'),
  maxVersion: version.default('1.3').describe('Highest version.'),
  ciphers: z
    .array(algorithmName)
    .min(1)
    .default(DEFAULT_CIPHERS)
    .describe("Ciphers of TLS 1.2 and suites of TLS 1.3, best first, by OpenSSL's names."),
  curves: z.array(algorithmName).min(1).default(DEFAULT_CURVES).describe('Groups for the key exchange, best first.'),
}

/** Demands that the lowest version is not above the highest. */
export const versionsInOrder = always((value, report) => {
  if (value.minVersion === '1.3' && value.maxVersion === '1.2')
    report({ code: 'CONFIG_CONFLICT', message: '"minVersion" is above "maxVersion"' }, ['minVersion'])
})

/** `tls` of a listener. */
export const tlsListener = options({
  certificates: oneOrMore(certificate)
    .default([])
    .describe(
      'Certificates, chosen by the name that the client asks for; the first serves all others. RSA and ECDSA may stand side by side.',
    ),
  selfSigned: oneOrMore(z.string().regex(/^[A-Za-z0-9.*-]{1,253}$/, 'a host name'))
    .optional()
    .describe('Names for which a certificate is made at start-up that no client trusts: to try things out.')
    .meta({ examples: ['localhost'] }),
  ...tlsShape,
  alpn: z
    .array(z.string().regex(/^[!-~]{1,64}$/, 'a protocol has no spaces'))
    .default(['http/1.1'])
    .describe('Protocols that are offered by ALPN, best first.'),
  clientCertificates: clientCertificates.optional().describe('Asks clients for certificates; none without this.'),
  tickets: z
    .boolean()
    .default(true)
    .describe('Sessions are resumed by tickets, whose keys all workers share and which change every 12 hours.'),
  handshakeTimeout: duration.prefault('10s').describe('For a handshake, from the beginning of the connection.'),
  maxHandshakes: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(4096)
    .describe('Handshakes under way at a time in each worker; above it the oldest is reset.'),
}).check(
  versionsInOrder,
  always((value, report) => {
    const given = Array.isArray(value.certificates) ? value.certificates.length : value.certificates === undefined ? 0 : 1
    if (given === 0 && value.selfSigned === undefined)
      report({ code: 'CONFIG_MISSING', message: 'tls needs "certificates", or "selfSigned" to try things out' })
  }),
)

/** What certificates by ACME are that say nothing else, and where they are kept; see acme/config.ts. */
export interface CertificateDefaults {
  readonly challenge: ChallengeKind
  readonly keyType: KeyType
  fileOf(names: readonly string[], keyType: KeyType): string
}

/** Without a top-level `acme` the configuration is refused where a certificate would need one. */
const NO_ACME: CertificateDefaults = { challenge: 'tls-alpn-01', keyType: 'ec256', fileOf: () => '' }

function normaliseCertificate(config: z.output<typeof certificate>, defaults: CertificateDefaults): CertificatePlan {
  const { cert = '', key = '', ocsp, acme } = config
  const stapling = ocsp === 'fetch' ? { ocsp: undefined, fetchesOcsp: true as const } : { ocsp }
  if (acme === undefined) return { cert, key, ...stapling }
  const names = [...new Set(acme)]
  const type = config.keyType ?? defaults.keyType
  const path = defaults.fileOf(names, type)
  return { cert: path, key: path, ...stapling, acme: { names, challenge: config.challenge ?? defaults.challenge, keyType: type } }
}

export function normaliseTls(
  config: z.output<typeof tlsListener> | undefined,
  defaults: CertificateDefaults = NO_ACME,
): TlsListenerPlan | undefined {
  if (config === undefined) return undefined
  const { selfSigned, clientCertificates: asked, handshakeTimeout, ...rest } = config
  return {
    certificates: rest.certificates.map((each) => normaliseCertificate(each, defaults)),
    selfSigned: selfSigned ?? [],
    minVersion: rest.minVersion,
    maxVersion: rest.maxVersion,
    ...normaliseCiphers(rest),
    protocols: rest.alpn,
    clientCertificates: asked,
    tickets: rest.tickets,
    handshakeTimeoutMs: handshakeTimeout,
    maxHandshakes: rest.maxHandshakes,
  }
}

/** OpenSSL has one list for TLS 1.2 and another for 1.3, whose suites begin with "TLS_". */
export function normaliseCiphers({ ciphers, curves }: { readonly ciphers: readonly string[]; readonly curves: readonly string[] }) {
  const suites = ciphers.filter((name) => name.startsWith('TLS_'))
  return {
    ciphers: ciphers.filter((name) => !name.startsWith('TLS_')).join(':'),
    suites: (suites.length === 0 ? SUITES : suites).join(':'),
    groups: curves.join(':'),
  }
}
