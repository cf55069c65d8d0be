import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EvenerError } from '../core/index.ts'
import {
  attachXdp,
  BpfLink,
  type BpfMap,
  type BpfObject,
  type BpfProgram,
  type MapShape,
  type NativeBpf,
  openPinned,
  openPinnedMap,
  pin,
  type XdpMode,
} from '../kernel/bpf/index.ts'

export interface AttachedInterface {
  readonly name: string
  readonly index: number
  readonly mode: XdpMode
  readonly link: BpfLink
}

/**
 * The folder of a BPF file system in which maps and links have names, so that packets go on while Evener is restarted.
 * It is mounted if nothing is mounted there and its parent is /sys/fs/bpf.
 */
export class Pins {
  readonly path: string
  readonly #native: NativeBpf

  constructor(native: NativeBpf, path: string) {
    this.#native = native
    this.path = path
    if (dirname(path) === '/sys/fs/bpf' && existsSync('/sys/fs/bpf') && !isMounted('/sys/fs/bpf')) {
      const result = native.bpfMount('/sys/fs/bpf')
      if (result < 0) throw new EvenerError('BPF_FAILED', 'no BPF file system is mounted on /sys/fs/bpf, and mounting one failed')
    }
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 })
    } catch (cause) {
      throw new EvenerError('BPF_FAILED', `the folder for pinned maps, ${path}, cannot be made`, { cause })
    }
  }

  /** Maps of an earlier process, if all are there and have the form wanted now; else none, and what is there is taken away. */
  openMaps(object: BpfObject, shapeOf: (name: string) => MapShape): Map<string, BpfMap> {
    const maps = new Map<string, BpfMap>()
    const wanted = object.maps.filter((definition) => definition.content === undefined)
    for (const { name } of wanted) {
      const map = openPinnedMap(this.#native, this.#mapPath(name), name)
      if (map === undefined) break
      maps.set(name, map)
      if (!isSameShape(map.shape, shapeOf(name))) break
      if (maps.size === wanted.length) return maps
    }
    for (const map of maps.values()) map.close()
    this.removeAll()
    return new Map()
  }

  pinMaps(maps: ReadonlyMap<string, BpfMap>): void {
    for (const [name, map] of maps) if (!name.startsWith('.')) pin(this.#native, map.fd, this.#mapPath(name))
  }

  openLink(interfaceName: string): BpfLink | undefined {
    const fd = openPinned(this.#native, this.#linkPath(interfaceName))
    return fd === undefined ? undefined : new BpfLink(this.#native, fd)
  }

  pinLink(interfaceName: string, link: BpfLink): void {
    pin(this.#native, link.fd, this.#linkPath(interfaceName))
  }

  /** Names of interfaces that have a pinned link. */
  linkNames(): string[] {
    return readdirSync(this.path).flatMap((name) => (name.startsWith('link-') ? [name.slice('link-'.length)] : []))
  }

  removeLink(interfaceName: string): void {
    rmSync(this.#linkPath(interfaceName), { force: true })
  }

  /** Takes programs off their interfaces and forgets all flows. */
  removeAll(): void {
    if (!existsSync(this.path)) return
    for (const name of readdirSync(this.path)) if (/^(map|link)-/.test(name)) rmSync(join(this.path, name), { force: true })
  }

  #mapPath(name: string): string {
    return join(this.path, `map-${name}`)
  }

  #linkPath(interfaceName: string): string {
    return join(this.path, `link-${interfaceName}`)
  }
}

function isMounted(path: string): boolean {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === path)
}

function isSameShape(a: MapShape, b: MapShape): boolean {
  return a.type === b.type && a.keySize === b.keySize && a.valueSize === b.valueSize && a.maxEntries === b.maxEntries
}

/** Attaches to an interface, or exchanges the program of a link that an earlier process left. */
export function attachInterface(
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
  const attached = attachXdp(native, program, target.index, mode)
  pins?.pinLink(target.name, attached.link)
  return { name: target.name, index: target.index, ...attached }
}

/** What was set in /proc/sys, to be set back. */
export class Sysctls {
  readonly #before = new Map<string, string>()

  set(name: string, value: string): void {
    const path = join('/proc/sys', name)
    if (!existsSync(path)) return
    const before = readFileSync(path, 'utf8').trim()
    if (before === value) return
    writeFileSync(path, value)
    if (!this.#before.has(path)) this.#before.set(path, before)
  }

  changes(): string[] {
    return [...this.#before].map(([path, before]) => `${path}: was ${before}`)
  }

  restore(): void {
    for (const [path, value] of this.#before) if (existsSync(path)) writeFileSync(path, value)
    this.#before.clear()
  }
}
