import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import { EvenerError } from '../../core/index.ts'

/** What the addon offers of bpf(2); see native/bpf.c. */
export interface NativeBpf {
  bpfCall(command: number, attribute: Uint8Array, ...pointers: (Uint8Array | number)[]): number
  bpfMount(path: string): number
  bpfClose(fd: number): number
}

/** bpf(2) commands (enum bpf_cmd). */
export const BPF = {
  MAP_CREATE: 0,
  MAP_LOOKUP: 1,
  MAP_UPDATE: 2,
  MAP_DELETE: 3,
  MAP_NEXT_KEY: 4,
  PROG_LOAD: 5,
  OBJ_PIN: 6,
  OBJ_GET: 7,
  PROG_TEST_RUN: 10,
  OBJ_GET_INFO: 15,
  BTF_LOAD: 18,
  MAP_FREEZE: 22,
  MAP_LOOKUP_BATCH: 24,
  MAP_UPDATE_BATCH: 26,
  LINK_CREATE: 28,
  LINK_UPDATE: 29,
  LINK_DETACH: 34,
} as const

/**
 * An attribute for bpf(2): integers at the offsets that union bpf_attr gives them, and the addresses of buffers. It is written
 * anew for each call of control code; hot readers (batches) keep one.
 */
export class Attribute {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly #pointers: (Uint8Array | number)[] = []

  constructor(length: number) {
    this.bytes = new Uint8Array(length)
    this.view = new DataView(this.bytes.buffer)
  }

  u32(at: number, value: number): this {
    this.view.setUint32(at, value, true)
    return this
  }

  u64(at: number, value: bigint): this {
    this.view.setBigUint64(at, value, true)
    return this
  }

  pointer(at: number, buffer: Uint8Array | undefined): this {
    if (buffer !== undefined && buffer.length > 0) this.#pointers.push(this.bytes, at, buffer)
    return this
  }

  text(at: number, value: string, size: number): this {
    this.bytes.set(Buffer.from(value.slice(0, size - 1), 'latin1'), at)
    return this
  }

  /** The result of the call, or -errno. */
  call(native: NativeBpf, command: number): number {
    return native.bpfCall(command, this.bytes, ...this.#pointers)
  }
}

export const ERRNO = constants.errno

/** Turns -errno into the error for it: a missing privilege is told apart from everything else. */
export function bpfFailure(what: string, result: number): EvenerError {
  if (result === -ERRNO.EPERM || result === -ERRNO.EACCES) {
    return new EvenerError(
      'BPF_FORBIDDEN',
      `${what}: not permitted; the packet plane needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (or root)`,
    )
  }
  return new EvenerError('BPF_FAILED', `${what}: ${getSystemErrorName(result)}`)
}

export function checked(what: string, result: number): number {
  if (result < 0) throw bpfFailure(what, result)
  return result
}
