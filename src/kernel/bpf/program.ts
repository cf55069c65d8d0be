import { EvenerError } from '../../core/index.ts'
import { Attribute, BPF, bpfFailure, checked, ERRNO, type NativeBpf } from './calls.ts'
import { FUNCTION_RECORD_BYTES, LINE_RECORD_BYTES, type LinkedProgram } from './link-code.ts'

export const PROGRAM_TYPE = { SCHED_CLS: 3, XDP: 6, SYSCALL: 31 } as const
export const ATTACH_TYPE = { XDP: 37, TCX_INGRESS: 46, TCX_EGRESS: 47 } as const
const XDP_GENERIC = 2
const XDP_NATIVE = 4
const LOG_BYTES = 1 << 24
const LOG_SHOWN = 4000
const LOAD_TRIES = 20
const SLEEPABLE = 1 << 4

export type XdpMode = 'native' | 'generic'

export interface RunResult {
  readonly verdict: number
  readonly bytes: Uint8Array
  /** Nanoseconds for one run, averaged over the repetitions. */
  readonly duration: number
}

/** A program in the kernel, by its descriptor. */
export class BpfProgram {
  readonly fd: number
  readonly name: string
  readonly #native: NativeBpf

  constructor(native: NativeBpf, fd: number, name: string) {
    this.#native = native
    this.fd = fd
    this.name = name
  }

  /**
   * Runs an XDP program over one packet, as if it had come in on the interface (0: the loopback of this namespace);
   * `repeat` runs it many times over what the last run left behind.
   */
  runPacket(packet: Uint8Array, options: { repeat?: number; interfaceIndex?: number } = {}): RunResult {
    const out = new Uint8Array(packet.length + 512)
    const attribute = new Attribute(80).u32(0, this.fd).u32(8, packet.length).u32(12, out.length).pointer(16, packet).pointer(24, out)
    attribute.u32(32, options.repeat ?? 1)
    if (options.interfaceIndex !== undefined) {
      // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
      const context = new Uint8Array(24)
      const view = new DataView(context.buffer)
      view.setUint32(4, packet.length, true)
      view.setUint32(12, options.interfaceIndex, true)
      attribute.u32(40, context.length).pointer(48, context)
    }
    checked(`running ${this.name}`, attribute.call(this.#native, BPF.PROG_TEST_RUN))
    const length = attribute.view.getUint32(12, true)
    return { verdict: attribute.view.getUint32(4, true), bytes: out.slice(0, length), duration: attribute.view.getUint32(36, true) }
  }

  /** Runs a program of type syscall once, with `context` for its argument (changed in place). Returns what it returned. */
  runSyscall(context: Uint8Array): number {
    const attribute = new Attribute(80).u32(0, this.fd).u32(40, context.length).pointer(48, context)
    checked(`running ${this.name}`, attribute.call(this.#native, BPF.PROG_TEST_RUN))
    return attribute.view.getInt32(4, true)
  }

  close(): void {
    this.#native.bpfClose(this.fd)
  }
}

/** A program on an interface. It comes off when the link is closed and not pinned. */
export class BpfLink {
  readonly fd: number
  readonly #native: NativeBpf

  constructor(native: NativeBpf, fd: number) {
    this.#native = native
    this.fd = fd
  }

  /** Exchanges the program without a packet going past. */
  update(program: BpfProgram): void {
    const attribute = new Attribute(16).u32(0, this.fd).u32(4, program.fd)
    checked(`replacing a program by ${program.name}`, attribute.call(this.#native, BPF.LINK_UPDATE))
  }

  detach(): void {
    checked('detaching a program', new Attribute(8).u32(0, this.fd).call(this.#native, BPF.LINK_DETACH))
  }

  close(): void {
    this.#native.bpfClose(this.fd)
  }
}

export function loadProgram(
  native: NativeBpf,
  name: string,
  section: string,
  linked: LinkedProgram,
  license: string,
  btf: number,
): BpfProgram {
  const type = programType(name, section)
  const attempt = (log: Uint8Array | undefined) => {
    const attribute = new Attribute(144)
      .u32(0, type)
      .u32(4, linked.code.length / 8)
      .pointer(8, linked.code)
    attribute.pointer(16, Buffer.from(`${license.replaceAll('\0', '')}\0`, 'latin1')).text(48, name, 16)
    if (type === PROGRAM_TYPE.XDP) attribute.u32(68, ATTACH_TYPE.XDP)
    if (type === PROGRAM_TYPE.SYSCALL) attribute.u32(44, SLEEPABLE)
    if (log !== undefined) attribute.u32(24, 1).u32(28, log.length).pointer(32, log)
    if (linked.functions.length > 0) {
      attribute.u32(72, btf).u32(76, FUNCTION_RECORD_BYTES).pointer(80, linked.functions)
      attribute
        .u32(88, linked.functions.length / FUNCTION_RECORD_BYTES)
        .u32(92, LINE_RECORD_BYTES)
        .pointer(96, linked.lines)
      attribute.u32(104, linked.lines.length / LINE_RECORD_BYTES)
    }
    // A signal to this thread (the profiler, the inspector) makes the verifier give up: ask again.
    let result = -ERRNO.EAGAIN
    for (let tries = 0; tries < LOAD_TRIES && result === -ERRNO.EAGAIN; tries++) result = attribute.call(native, BPF.PROG_LOAD)
    return result
  }
  const fd = attempt(undefined)
  if (fd >= 0) return new BpfProgram(native, fd, name)
  if (fd === -ERRNO.EPERM) throw bpfFailure(`loading program ${name}`, fd)
  // Only a second attempt pays for the log: the verifier writes megabytes of it.
  const log = new Uint8Array(LOG_BYTES)
  const second = attempt(log)
  if (second >= 0) return new BpfProgram(native, second, name)
  throw refused(name, second, log)
}

function refused(name: string, result: number, log: Uint8Array): EvenerError {
  const end = log.indexOf(0)
  const text = Buffer.from(log.buffer, 0, end === -1 ? log.length : end)
    .toString('latin1')
    .trimEnd()
  const shown = text.length > LOG_SHOWN ? `…${text.slice(-LOG_SHOWN)}` : text
  const cause = bpfFailure(`loading program ${name}`, result).message
  return new EvenerError('BPF_REFUSED', `the kernel's verifier refused program ${name} (${cause})\n${shown}`)
}

function programType(name: string, section: string): number {
  if (section.startsWith('xdp')) return PROGRAM_TYPE.XDP
  if (section.startsWith('syscall')) return PROGRAM_TYPE.SYSCALL
  if (section.startsWith('tc')) return PROGRAM_TYPE.SCHED_CLS
  throw new EvenerError('BPF_OBJECT_INVALID', `program ${name} is in section "${section}", which says no type`)
}

/** Puts an XDP program on an interface: in the driver where it can (native), else in the stack (generic), as demanded if `mode` is given. */
export function attachXdp(
  native: NativeBpf,
  program: BpfProgram,
  interfaceIndex: number,
  mode?: XdpMode,
  interfaceName = String(interfaceIndex),
): { link: BpfLink; mode: XdpMode } {
  const attempt = (flags: number) => {
    const attribute = new Attribute(16).u32(0, program.fd).u32(4, interfaceIndex).u32(8, ATTACH_TYPE.XDP).u32(12, flags)
    return attribute.call(native, BPF.LINK_CREATE)
  }
  let result = -ERRNO.EOPNOTSUPP
  if (mode !== 'generic') result = attempt(XDP_NATIVE)
  if (result >= 0) return { link: new BpfLink(native, result), mode: 'native' }
  if (result === -ERRNO.EBUSY) {
    throw new EvenerError('PACKET_BUSY', `another XDP program is on interface ${interfaceName} (ip link shows it); take it off first`)
  }
  if (mode === 'native' && result === -ERRNO.EOPNOTSUPP) {
    const text = `the driver of interface ${interfaceName} has no native XDP, which packet.mode demands; "auto" falls back to generic XDP`
    throw new EvenerError('PACKET_UNSUPPORTED', text)
  }
  if (mode === 'native') throw bpfFailure(`attaching ${program.name} in the driver of ${interfaceName}`, result)
  const fallback = checked(`attaching ${program.name} to ${interfaceName}`, attempt(XDP_GENERIC))
  return { link: new BpfLink(native, fallback), mode: 'generic' }
}

/** Puts a tc program behind everything that leaves an interface (TCX, Linux 6.6). */
export function attachEgress(native: NativeBpf, program: BpfProgram, interfaceIndex: number): BpfLink {
  const attribute = new Attribute(32).u32(0, program.fd).u32(4, interfaceIndex).u32(8, ATTACH_TYPE.TCX_EGRESS)
  const result = attribute.call(native, BPF.LINK_CREATE)
  if (result === -ERRNO.EINVAL) throw new EvenerError('PACKET_UNSUPPORTED', `${program.name} needs TCX, which Linux has from 6.6 on`)
  return new BpfLink(native, checked(`attaching ${program.name} to interface ${interfaceIndex}`, result))
}
