import { attachXdp, type BpfLink, type BpfProgram, type NativeBpf, type XdpMode } from '../kernel/bpf/index.ts'
import type { LinkInfo, RouteSocket } from '../kernel/netlink/index.ts'
import type { Pins } from './pins.ts'
import { Sysctls } from './sysctls.ts'

export interface AttachedInterface {
  readonly name: string
  readonly index: number
  readonly mode: XdpMode
  readonly link: BpfLink
}

/** The interfaces that have the program, and the settings that they need. What is there when it is closed is as it was before. */
export class Attachments {
  readonly #native: NativeBpf
  readonly #routes: RouteSocket
  readonly #program: BpfProgram
  readonly #pins: Pins | undefined
  readonly #mode: XdpMode | undefined
  readonly #sysctls: Sysctls
  #attached: AttachedInterface[] = []

  constructor(native: NativeBpf, routes: RouteSocket, program: BpfProgram, pins: Pins | undefined, mode: XdpMode | undefined) {
    this.#native = native
    this.#routes = routes
    this.#program = program
    this.#pins = pins
    this.#mode = mode
    this.#sysctls = new Sysctls(pins?.settings.read())
  }

  get list(): readonly AttachedInterface[] {
    return this.#attached
  }

  /** Puts the program on exactly these interfaces. On failure those that it was on stay as they are, and no other is touched. */
  set(names: readonly string[]): void {
    const targets = names.map((name) => this.#routes.demandLink(name))
    const isOn = (target: LinkInfo) => this.#attached.some(({ name, index }) => name === target.name && index === target.index)
    const added: AttachedInterface[] = []
    try {
      for (const target of targets.filter((each) => !isOn(each))) {
        // The route lookup of a program says nothing where the interface may not forward.
        this.#sysctls.set(`net/ipv4/conf/${target.name}/forwarding`, '1')
        this.#sysctls.set(`net/ipv6/conf/${target.name}/forwarding`, '1')
        this.#rememberSettings()
        added.push(attachInterface(this.#native, this.#program, target, this.#pins, this.#mode))
      }
    } catch (error) {
      for (const each of added) this.#detach(each)
      throw error
    }
    const kept = this.#attached.filter(({ name, index }) => targets.some((target) => target.name === name && target.index === index))
    for (const each of this.#attached) if (!kept.includes(each)) this.#detach(each)
    this.#attached = [...kept, ...added]
    // Of an earlier process.
    for (const name of this.#pins?.linkNames() ?? []) {
      if (names.includes(name)) continue
      this.#pins?.removeLink(name)
      this.#restore(name)
    }
  }

  /** Gives descriptors back; unless `keep`, the program comes off, and settings are as they were. */
  close(keep: boolean): void {
    if (!keep) for (const { name } of this.#attached) this.#pins?.removeLink(name)
    for (const { link } of this.#attached) link.close()
    this.#attached = []
    if (keep) return
    this.#sysctls.restore()
    this.#rememberSettings()
  }

  #detach({ name, link }: AttachedInterface): void {
    this.#pins?.removeLink(name)
    link.close()
    this.#restore(name)
  }

  #restore(name: string): void {
    this.#sysctls.restore(`/${name}/`)
    this.#rememberSettings()
  }

  /** So that the next process, or `evener packet detach`, can set them back. */
  #rememberSettings(): void {
    this.#pins?.settings.write(this.#sysctls.before)
  }
}

/** Attaches to an interface, or exchanges the program of a link that an earlier process left. */
function attachInterface(
  native: NativeBpf,
  program: BpfProgram,
  target: { name: string; index: number; xdp: 'none' | XdpMode },
  pins: Pins | undefined,
  mode: XdpMode | undefined,
): AttachedInterface {
  const earlier = pins?.openLink(target.name)
  if (earlier !== undefined) {
    try {
      earlier.update(program)
      return { name: target.name, index: target.index, mode: target.xdp === 'generic' ? 'generic' : 'native', link: earlier }
    } catch {
      // The interface was made anew under the same name: the link belongs to the old one.
      earlier.close()
      pins?.removeLink(target.name)
    }
  }
  const attached = attachXdp(native, program, target.index, mode, target.name)
  pins?.pinLink(target.name, attached.link)
  return { name: target.name, index: target.index, ...attached }
}
