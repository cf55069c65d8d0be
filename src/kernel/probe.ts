import { release } from 'node:os'
import { EvenerError } from '../core/index.ts'
import { errnoName } from './errno.ts'
import { native } from './native.ts'

/** The first kernel with all of multishot receive (6.0), IORING_SETUP_SINGLE_ISSUER (6.0) and DEFER_TASKRUN (6.1). */
const MINIMUM_KERNEL = [6, 1] as const

/** Why io_uring cannot be used here, to follow "because", or undefined if it can. */
export function ringObstacle(setupFlags: number, operations: Readonly<Record<string, number>>): string | undefined {
  const kernel = release()
  if (!isAtLeast(kernel, MINIMUM_KERNEL)) return `the kernel is ${kernel} and io_uring is used from ${MINIMUM_KERNEL.join('.')} on`
  try {
    return refusal(native().probeRing(setupFlags), operations)
  } catch (error) {
    if (error instanceof EvenerError) return error.message
    throw error
  }
}

/** "6.18.4-cloud" >= [6, 1]. */
export function isAtLeast(kernel: string, [major, minor]: readonly [number, number]): boolean {
  const [, first = '0', second = '0'] = /^(\d+)\.(\d+)/.exec(kernel) ?? []
  return Number(first) > major || (Number(first) === major && Number(second) >= minor)
}

function refusal(probed: Uint8Array | number, operations: Readonly<Record<string, number>>): string | undefined {
  if (typeof probed === 'number') return REFUSALS[errnoName(probed)] ?? `io_uring_setup() failed with ${errnoName(probed)}`
  const missing = Object.keys(operations).filter((name) => probed[operations[name]] === 0)
  return missing.length === 0 ? undefined : `io_uring lacks the operations ${missing.join(', ')}`
}

const REFUSALS: Readonly<Record<string, string>> = {
  ENOSYS: 'the kernel was built without io_uring, or a seccomp filter hides it',
  EPERM: 'io_uring is forbidden (a container’s seccomp profile, or the sysctl kernel.io_uring_disabled)',
  EACCES: 'io_uring is forbidden by a security module',
  EINVAL: 'the kernel does not know the set-up flags of io_uring that are needed',
  ENOMEM: 'there is no memory for an io_uring (see RLIMIT_MEMLOCK)',
  EMFILE: 'the process has no file descriptor left for an io_uring (see RLIMIT_NOFILE)',
}
