import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import {
  always,
  type ChallengeKind,
  challengeKind,
  duration,
  durationBetween,
  durationOrNone,
  type KeyType,
  keyType,
  options,
} from '../schema/index.ts'

const DAY_MS = 86_400_000

/** Let's Encrypt. */
const DEFAULT_DIRECTORY = 'https://acme-v02.api.letsencrypt.org/directory'

/** `acme`: whom certificates are had from, and how. */
export interface AcmePlan {
  readonly directory: string
  readonly email: string | undefined
  /** The folder of keys and certificates. */
  readonly storage: string
  /** PEM file with the authorities that vouch for the directory itself; undefined for those of Mozilla's list. */
  readonly ca: string | undefined
  readonly externalAccount: { readonly id: string; readonly key: string } | undefined
  /** undefined for a third of the lifetime. */
  readonly renewBeforeMs: number | undefined
  readonly backOffMs: number
  readonly maxBackOffMs: number
  readonly dns: DnsHookPlan | undefined
}

/** The command that puts TXT records into DNS and takes them out. */
export interface DnsHookPlan {
  readonly command: readonly string[]
  readonly timeoutMs: number
  /** How long to wait when the record is there; 0 for not at all. */
  readonly propagationMs: number
}

/** What certificates are that say nothing else. */
export interface AcmeDefaults {
  readonly challenge: ChallengeKind
  readonly keyType: KeyType
  /** The file in which the certificate for these names is kept. */
  fileOf(names: readonly string[], keyType: KeyType): string
}

const dns = options({
  command: z
    .array(z.string().min(1).max(4096))
    .min(1)
    .max(64)
    .describe(
      'Program with its arguments, run without a shell; behind them come "present" or "cleanup", the name and the value of a TXT record.',
    )
    .meta({ examples: [['/usr/local/bin/dns-record', '--zone', 'shop.test']] }),
  timeout: durationBetween(1, 3_600_000).prefault('2m').describe('A command that runs longer is killed, and the order fails.'),
  propagation: durationOrNone.prefault('none').describe('Wait behind "present" until all servers of the zone have the record, or "none".'),
})

const externalAccount = options({
  id: z.string().min(1).max(1024).describe('The key identifier that the authority has given out.'),
  key: z
    .string()
    .regex(/^[A-Za-z0-9_-]+=*$/, 'base64url is expected')
    .describe('Its MAC key, in base64url.')
    .meta({ examples: ['${file:eab.key}'] }),
})

export const acme = options({
  directory: z
    .url({ protocol: /^https$/, error: 'a URL with https is expected' })
    .default(DEFAULT_DIRECTORY)
    .describe("The authority's directory (RFC 8555); Let's Encrypt without this."),
  agreeTerms: z.boolean().default(false).describe("Must be true: you have read the authority's terms of service and agree."),
  email: z
    .email('an address is expected')
    .optional()
    .describe('Where the authority may write to.')
    .meta({ examples: ['ops@shop.test'] }),
  storage: z
    .string()
    .min(1)
    .max(4096)
    .describe('Folder for the account key and the certificates with their keys; made with mode 0700. Several Eveners may share one.')
    .meta({ examples: ['/var/lib/evener/acme'] }),
  challenge: challengeKind
    .default('tls-alpn-01')
    .describe(
      'How to show that a name is ours: at port 443 in the handshake, at port 80 by HTTP, or by a record in DNS, which wildcards need.',
    ),
  keyType: keyType.default('ec256').describe('Key of certificates: ECDSA with P-256 or P-384, or RSA.'),
  renewBefore: durationBetween(60_000, 90 * DAY_MS)
    .optional()
    .describe(
      'Renews so long before the end where the authority does not say when (ARI); a third of the lifetime without this, at most half of it.',
    )
    .meta({ examples: ['30d'] }),
  backOff: duration.prefault('1m').describe('Wait after an order that failed, doubled with each further one.'),
  maxBackOff: duration
    .prefault('6h')
    .describe('The longest such wait. What the authority demands (Retry-After) is kept where that is longer.'),
  ca: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe("PEM file with the authorities that may have signed the directory's own certificate; Mozilla's list without this.")
    .meta({ examples: ['internal-ca.pem'] }),
  externalAccount: externalAccount
    .optional()
    .describe('Ties the account to one that the authority has already (external account binding).'),
  dns: dns.optional().describe('The command for dns-01.'),
}).check(
  always((value, report) => {
    if (value.agreeTerms === true) return
    const hint = 'agreeTerms: true'
    report({ code: 'CONFIG_MISSING', message: "acme needs your agreement to the authority's terms of service", hint })
  }),
)

export function normaliseAcme(config: z.output<typeof acme>): AcmePlan {
  const { directory, email, storage, ca, externalAccount: external, renewBefore, backOff, maxBackOff, dns: hook } = config
  return {
    directory,
    email,
    storage,
    ca,
    externalAccount: external,
    renewBeforeMs: renewBefore,
    backOffMs: Math.min(backOff, maxBackOff),
    maxBackOffMs: maxBackOff,
    dns: hook && { command: hook.command, timeoutMs: hook.timeout, propagationMs: hook.propagation },
  }
}

export function acmeDefaults(config: z.output<typeof acme>): AcmeDefaults {
  return {
    challenge: config.challenge,
    keyType: config.keyType,
    fileOf: (names, type) => join(config.storage, 'certificates', certificateFile(config.directory, names, type)),
  }
}

/** "shop.test-ec256-3f1c0a9b2d4e.pem": another authority, other names or another key are another file. */
function certificateFile(directory: string, names: readonly string[], type: KeyType): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([directory, [...names].sort()]))
    .digest('hex')
  return `${names[0].replace('*', 'any')}-${type}-${digest.slice(0, 12)}.pem`
}
