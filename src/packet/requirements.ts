import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { EvenerError } from '../core/index.ts'

/** bpf_tcp_raw_gen_syncookie came last of what the programs call. */
const NEEDS_KERNEL = [6, 0] as const
const CAP_NET_ADMIN = 12n
const CAP_SYS_ADMIN = 21n
const CAP_PERFMON = 38n
const CAP_BPF = 39n

export interface Environment {
  readonly platform: string
  readonly kernel: string
  /** Effective capabilities, as a bit set. */
  readonly capabilities: bigint
}

/** Throws the one error that says what is missing, before anything is changed. */
export function requirePacketPlane(environment: Environment = readEnvironment()): void {
  if (environment.platform !== 'linux') {
    throw new EvenerError(
      'PACKET_UNSUPPORTED',
      `the packet plane (forward: nat, fullnat, dr, tun) needs Linux, this is ${environment.platform}`,
    )
  }
  const [major = 0, minor = 0] = environment.kernel.split('.').map((part) => Number.parseInt(part, 10))
  if (major < NEEDS_KERNEL[0] || (major === NEEDS_KERNEL[0] && minor < NEEDS_KERNEL[1])) {
    const text = `the packet plane needs Linux ${NEEDS_KERNEL.join('.')} or newer (SYN cookies in XDP), this is ${environment.kernel}`
    throw new EvenerError('PACKET_UNSUPPORTED', text)
  }
  const has = (capability: bigint) => (environment.capabilities >> capability) % 2n === 1n
  const missing: string[] = []
  // The verifier lets pointers be compared and computed with only for who may measure the kernel.
  for (const [name, capability] of [
    ['CAP_BPF', CAP_BPF],
    ['CAP_PERFMON', CAP_PERFMON],
  ] as const) {
    if (!has(capability) && !has(CAP_SYS_ADMIN)) missing.push(name)
  }
  if (!has(CAP_NET_ADMIN)) missing.push('CAP_NET_ADMIN')
  if (missing.length === 0) return
  throw new EvenerError(
    'BPF_FORBIDDEN',
    `the packet plane needs ${formatList(missing)}, which this process has not (run it as root or grant them)`,
  )
}

function formatList(names: readonly string[]): string {
  return new Intl.ListFormat('en-GB').format(names)
}

function readEnvironment(): Environment {
  return { platform: process.platform, kernel: release(), capabilities: process.platform === 'linux' ? effectiveCapabilities() : 0n }
}

function effectiveCapabilities(): bigint {
  const line = readFileSync('/proc/self/status', 'latin1')
    .split('\n')
    .find((text) => text.startsWith('CapEff:'))
  return BigInt(`0x${line?.split(/\s+/)[1] ?? '0'}`)
}
