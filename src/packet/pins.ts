import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EvenerError } from '../core/index.ts'
import { BpfLink, type BpfMap, type BpfObject, type MapShape, type NativeBpf, openPinned, openPinnedMap, pin } from '../kernel/bpf/index.ts'
import { native } from '../kernel/index.ts'
import { RememberedSettings } from './remembered-settings.ts'
import { Sysctls } from './sysctls.ts'

/** BPF_FS_MAGIC */
const BPF_FILE_SYSTEM = 0xcafe4a11
const SETTINGS_NAME = 'settings-before'

/**
 * The folder of a BPF file system in which maps and links have names, so that packets go on while Evener is restarted.
 * It is mounted if nothing is mounted there and its parent is /sys/fs/bpf.
 */
export class Pins {
  readonly path: string
  /** Of interfaces, as they were before a program was put on them. */
  readonly settings: RememberedSettings
  readonly #native: NativeBpf

  constructor(native: NativeBpf, path: string) {
    this.#native = native
    this.path = path
    this.settings = new RememberedSettings(native, join(path, SETTINGS_NAME))
    if (dirname(path) === '/sys/fs/bpf' && existsSync('/sys/fs/bpf') && !isMounted('/sys/fs/bpf')) {
      const result = native.bpfMount('/sys/fs/bpf')
      if (result < 0) throw new EvenerError('BPF_FAILED', 'no BPF file system is mounted on /sys/fs/bpf, and mounting one failed')
    }
    demandBpf(path)
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
    unpin(this.path)
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
    return !existsSync(this.path)
      ? []
      : readdirSync(this.path).flatMap((name) => (name.startsWith('link-') ? [name.slice('link-'.length)] : []))
  }

  removeLink(interfaceName: string): void {
    rmSync(this.#linkPath(interfaceName), { force: true })
  }

  /** Takes programs off their interfaces and forgets all flows. */
  removeAll(): void {
    if (existsSync(this.path)) detachPins(this.path, this.#native)
  }

  #mapPath(name: string): string {
    return join(this.path, `map-${name}`)
  }

  #linkPath(interfaceName: string): string {
    return join(this.path, `link-${interfaceName}`)
  }
}

/** The folder, or the nearest one above it that is there. */
function demandBpf(path: string): void {
  let folder = path
  while (!existsSync(folder)) folder = dirname(folder)
  if (statfsSync(folder).type === BPF_FILE_SYSTEM) return
  const text = `${path} is on no BPF file system: mount one (mount -t bpf bpf /sys/fs/bpf), or let "packet.pins" be none`
  throw new EvenerError('PACKET_UNSUPPORTED', text)
}

function isMounted(path: string): boolean {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === path)
}

function isSameShape(a: MapShape, b: MapShape): boolean {
  return a.type === b.type && a.keySize === b.keySize && a.valueSize === b.valueSize && a.maxEntries === b.maxEntries
}

/** Takes programs off their interfaces, forgets all flows and sets back what was set for them. Returns what was done, a line each. */
export function detachPins(path: string, addon: NativeBpf = native()): string[] {
  if (!existsSync(path)) return [`nothing is pinned in ${path}`]
  const names = unpin(path)
  const settings = new Sysctls(new RememberedSettings(addon, join(path, SETTINGS_NAME)).read())
  const restored = settings.restore()
  rmSync(join(path, SETTINGS_NAME), { force: true })
  if (readdirSync(path).length === 0) rmdirSync(path)
  const links = names.flatMap((name) => (name.startsWith('link-') ? [name.slice('link-'.length)] : []))
  const told = links.length === 0 ? [`no program was pinned in ${path}`] : links.map((name) => `${name}: the program is off`)
  return [...told, ...restored]
}

function unpin(path: string): string[] {
  const names = readdirSync(path).filter((name) => /^(map|link)-/.test(name))
  for (const name of names) rmSync(join(path, name), { force: true })
  return names
}
