import { getSystemErrorName } from 'node:util'
import { EvenerError } from '../core/index.ts'

/** "ECONNREFUSED" for -111: the name of the errno that a function of the addon, or a completion, returned negated. */
export function errnoName(result: number): string {
  return getSystemErrorName(result)
}

/** Throws SYSTEM_CALL_FAILED if the result is negative. */
export function checked<T>(call: string, result: T | number): T {
  if (typeof result === 'number' && result < 0) throw new EvenerError('SYSTEM_CALL_FAILED', `${call}: ${errnoName(result)}`)
  return result as T
}
