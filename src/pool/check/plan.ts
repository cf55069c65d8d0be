import type { SocketAddress } from '../../core/index.ts'

/** Times and thresholds of a check. */
export interface CheckPace {
  /** From the begin of one run to the begin of the next. */
  readonly intervalMs: number
  /** While a change is under way. */
  readonly fastIntervalMs: number
  /** While the server is down. */
  readonly downIntervalMs: number
  /** Up to this share of an interval is added to or taken from it, in percent. */
  readonly jitterPercent: number
  readonly timeoutMs: number
  /** Successes in a row that bring a server up, failures in a row that take it down. */
  readonly rise: number
  readonly fall: number
}

/** An active check, normalised: when it runs, where it goes, and what it asks. */
export type CheckPlan = CheckPace & CheckPlace & ProbePlan

export interface CheckPlace {
  /** Where to check instead of the server's own address. */
  readonly address: SocketAddress | undefined
  /** The server's host with another port; never beside `address`. */
  readonly port: number | undefined
  /** Version of the header of the PROXY protocol that the server expects, with which the check speaks for itself. */
  readonly proxyProtocol?: 1 | 2 | undefined
}

export type ProbePlan =
  | ExchangeProbePlan
  | HttpProbePlan
  | SmtpProbePlan
  | MailboxProbePlan
  | RedisProbePlan
  | MemcachedProbePlan
  | MysqlProbePlan
  | PostgresqlProbePlan
  | DnsProbePlan
  | GrpcProbePlan
  | ExecProbePlan

export type CheckKind = ProbePlan['kind']

/** How TLS is spoken to a server. */
export interface CheckTlsPlan {
  /** Name to ask for (SNI); "" for none. */
  readonly serverName: string
  /** Name in the certificate; undefined for the address. */
  readonly name: string | undefined
  /** Whether a certificate that does not verify is a failure. */
  readonly verify: boolean
  /** File with the authorities to trust instead of those of Mozilla's list. */
  readonly ca: string | undefined
  /** Files with what is shown to a server that asks for a certificate. */
  readonly certificate: { readonly cert: string; readonly key: string } | undefined
}

/** Whether a protocol speaks TLS from the first byte, or asks for it in the clear. */
export type TlsMode = 'none' | 'direct' | 'upgrade'

interface SecurablePlan {
  readonly mode: TlsMode
  /** undefined where `mode` is none. */
  readonly tls: CheckTlsPlan | undefined
}

/** Text that must be in an answer, or a regular expression that must match it. */
export interface TextPatternPlan {
  readonly kind: 'text' | 'regex'
  readonly value: string
}

/** Bytes to send, as they are written in a configuration. */
export interface PayloadPlan {
  readonly encoding: 'utf8' | 'hex'
  readonly value: string
}

/** A connection or datagram, and if asked for bytes to send and an answer to expect. */
export interface ExchangeProbePlan {
  readonly kind: 'tcp' | 'tls' | 'udp'
  readonly send: PayloadPlan | undefined
  readonly expect: TextPatternPlan | undefined
  /** For `tls` only. */
  readonly tls: CheckTlsPlan | undefined
}

export interface HttpProbePlan {
  readonly kind: 'http' | 'https'
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Value of Host; undefined for the server's own address. */
  readonly host: string | undefined
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  readonly requestBody: string | undefined
  /** Statuses that count as success: inclusive ranges, sorted, not overlapping. */
  readonly status: readonly { readonly from: number; readonly to: number }[]
  /** Fields that the response must have. */
  readonly responseHeaders: readonly { readonly name: string; readonly pattern: TextPatternPlan }[]
  /** What the begin of the response's body must have in it. */
  readonly body: TextPatternPlan | undefined
  /** For `https` only. */
  readonly tls: CheckTlsPlan | undefined
}

export interface SmtpProbePlan extends SecurablePlan {
  readonly kind: 'smtp'
  /** What EHLO says. */
  readonly hello: string
}

export interface MailboxProbePlan extends SecurablePlan {
  readonly kind: 'imap' | 'pop3'
  /** Without one nobody logs in. */
  readonly user: string | undefined
  readonly password: string | undefined
}

export interface RedisProbePlan extends SecurablePlan {
  readonly kind: 'redis'
  /** For AUTH beside `password`, where the server knows users. */
  readonly user: string | undefined
  readonly password: string | undefined
  readonly role: 'any' | 'primary' | 'replica'
}

export interface MemcachedProbePlan extends SecurablePlan {
  readonly kind: 'memcached'
}

/** A database: without `user` (mysql), without `password` and something to ask (postgresql), it need only answer. */
interface DatabaseProbePlan extends SecurablePlan {
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  /** Its part in replication. */
  readonly role: 'any' | 'primary' | 'replica'
  /** How far behind the primary a replica may be; undefined for any. */
  readonly maxLagMs: number | undefined
  readonly query: string | undefined
  /** What must be in the first column of the first row. */
  readonly expect: TextPatternPlan | undefined
}

export interface MysqlProbePlan extends DatabaseProbePlan {
  readonly kind: 'mysql'
}

export interface PostgresqlProbePlan extends DatabaseProbePlan {
  readonly kind: 'postgresql'
}

export interface DnsProbePlan {
  readonly kind: 'dns'
  readonly transport: 'udp' | 'tcp'
  /** Without the final dot; empty for the root. */
  readonly name: string
  /** Number of the record type. */
  readonly type: number
  /** Response codes that count as success. */
  readonly status: readonly number[]
  /** Address that must be among the answers. */
  readonly answer: string | undefined
}

export interface GrpcProbePlan extends SecurablePlan {
  readonly kind: 'grpc'
  /** What grpc.health.v1 is asked about; empty for the server as a whole. */
  readonly service: string
  /** Value of :authority; undefined for the server's own address. */
  readonly host: string | undefined
}

export interface ExecProbePlan {
  readonly kind: 'exec'
  /** Absolute path of the program, and its arguments, in which {address} and {port} stand for the server's. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Exit statuses that count as success. */
  readonly exitStatus: readonly number[]
}
