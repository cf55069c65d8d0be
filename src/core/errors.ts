/**
 * The one error class of Evener. On the data path outcomes are values; errors are thrown by control code only.
 * Every code is listed once, here, and never reused for another meaning; docs/errors.md is checked against it.
 */
export const ERROR_CODES = {
  ADDRESS_INVALID: 'an address in the configuration or on the command line cannot be read',
  LISTEN_ADDRESS_IN_USE: 'another socket already listens on the address',
  LISTEN_FORBIDDEN: 'the process may not bind the address (a port below 1024 needs CAP_NET_BIND_SERVICE)',
  LISTEN_ADDRESS_UNAVAILABLE: 'the address belongs to no interface of this machine',
  LISTEN_FAILED: 'the address could not be listened on for another reason, which the message names',
  ENGINE_UNAVAILABLE: 'the engine that the configuration demands cannot run here',
  NATIVE_UNAVAILABLE: 'the native addon is not compiled or cannot be loaded',
  TLS_INVALID: 'a certificate, key or option of TLS is not accepted; the message has the reason',
  ACME_FAILED: 'a certificate authority could not be asked for a certificate, or refused one; the message has the reason',
  OCSP_FAILED: 'there is no OCSP response that could be stapled; the message has the reason',
  SYSTEM_CALL_FAILED: 'a system call failed for a reason that the message names',
  POOL_TABLE_FULL: 'the configuration has more pools or servers than the pool table, whose size is chosen at start-up',
  POOL_TABLE_INVALID: 'a worker was handed something else than the pool table',
  WORKER_DIED: 'a worker thread ended or answered out of turn',
  BPF_OBJECT_INVALID: 'a compiled BPF object is damaged or not what the loader expects',
  BPF_FORBIDDEN: 'the packet plane may not load programs: CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are needed',
  BPF_REFUSED: "the kernel's verifier refused a program; the end of its log is in the message",
  BPF_FAILED: 'a bpf(2) call failed for a reason that the message names',
  NETLINK_FAILED: 'the kernel refused a netlink request, which the message names',
  PACKET_UNSUPPORTED: 'the kernel or the platform lacks something that the packet plane needs, which the message names',
  PACKET_FORBIDDEN: 'a setting of the kernel that the packet plane needs may not be changed',
  PACKET_BUSY: 'another Evener has the packet plane of this machine, or another program is on the interface',
  PACKET_INTERFACE_UNKNOWN: 'an interface of the configuration does not exist',
  PACKET_LIMIT_EXCEEDED: 'the configuration has more services or servers than the packet plane holds',
  IPVS_UNAVAILABLE: 'the kernel has no IPVS (ip_vs), which engine: ipvs needs',
  CONFIG_INVALID: 'the configuration has errors; each is reported with its place',
} as const

export type ErrorCode = keyof typeof ERROR_CODES
export type ErrorSide = 'downstream' | 'upstream' | 'internal'
/** Whether the work that failed may be tried again: never, only if the connection was a reused one, or yes. */
export type ErrorRetry = 'never' | 'if-reused' | 'yes'

export interface EvenerErrorOptions {
  side?: ErrorSide
  retry?: ErrorRetry
  cause?: unknown
}

export class EvenerError extends Error {
  readonly code: ErrorCode
  readonly side: ErrorSide
  readonly retry: ErrorRetry

  constructor(code: ErrorCode, message: string, options: EvenerErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.name = 'EvenerError'
    this.code = code
    this.side = options.side ?? 'internal'
    this.retry = options.retry ?? 'never'
  }
}
