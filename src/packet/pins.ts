import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EvenerError } from '../core/index.ts'
import { BpfLink, type BpfMap, type BpfObject, type MapShape, type NativeBpf, openPinned, openPinnedMap, pin } from '../kernel/bpf/index.ts'
import { native } from '../kernel/index.ts'
import { PinnedTexts } from './pinned-texts.ts'
import { Sysctls } from './sysctls.ts'

/** BPF_FS_MAGIC */
const BPF_FILE_SYSTEM = 0xcafe4a11
const SETTINGS_NAME = 'settings-before'
const LAYOUT_NAME = 'layout'
const LAYOUT_LETTERS = 15
/** What the programs make again out of flows, by a hash that is another for each process. */
const SHORTCUTS = 'shortcuts'
const FLOW_MAPS = ['flows', 'young', 'loads', 'servers', 'service_list', 'services', 'ranges', 'rosters']
const FLOW_STRUCTS = ['tuple', 'flow', 'load', 'server', 'service', 'service_key', 'range_key', 'range', 'roster']

/**
 * The folder of a BPF file system in which maps and links have names, so that packets go on while Evener is restarted.
 * It is mounted if nothing is mounted there and its parent is /sys/fs/bpf.
 */
export class Pins {
  readonly path: string
  /** Of interfaces, as they were before a program was put on them. */
  readonly settings: PinnedTexts
  readonly #layout: PinnedTexts
  readonly #native: NativeBpf

  constructor(native: NativeBpf, path: string) {
    this.#native = native
    this.path = path
    this.settings = new PinnedTexts(native, join(path, SETTINGS_NAME))
    this.#layout = new PinnedTexts(native, join(path, LAYOUT_NAME))
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

  /**
   * Maps of an earlier process that can be gone on with. Those that flows depend on are taken together or not at all: if one has another
   * form now (another size is configured, or this is another version), all begin anew.
   */
  openMaps(object: BpfObject, shapeOf: (name: string) => MapShape): Map<string, BpfMap> {
    const maps = new Map<string, BpfMap>()
    if (this.#layout.read().flows !== layoutOf(object)) return maps
    for (const { name, content } of object.maps) {
      const map = content === undefined && name !== SHORTCUTS ? openPinnedMap(this.#native, this.#mapPath(name), name) : undefined
      if (map !== undefined && isSameShape(map.shape, shapeOf(name))) maps.set(name, map)
      else map?.close()
    }
    if (FLOW_MAPS.every((name) => maps.has(name))) return maps
    for (const map of maps.values()) map.close()
    return new Map()
  }

  /** Exactly these from now on. */
  pinMaps(object: BpfObject, maps: ReadonlyMap<string, BpfMap>, pinned: ReadonlyMap<string, BpfMap>): void {
    const kept = new Set([...pinned.keys()].map((name) => this.#mapPath(name)))
    for (const name of namesIn(this.path, 'map')) if (!kept.has(join(this.path, name))) rmSync(join(this.path, name), { force: true })
    for (const [name, map] of maps) if (!name.startsWith('.') && !pinned.has(name)) pin(this.#native, map.fd, this.#mapPath(name))
    this.#layout.write({ flows: layoutOf(object) })
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
    return namesIn(this.path, 'link').map((name) => name.slice('link-'.length))
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
  const links = namesIn(path, 'link').map((name) => name.slice('link-'.length))
  const settings = new Sysctls(new PinnedTexts(addon, join(path, SETTINGS_NAME)).read())
  const restored = settings.restore()
  for (const name of [...namesIn(path, 'link'), ...namesIn(path, 'map'), SETTINGS_NAME, LAYOUT_NAME])
    rmSync(join(path, name), { force: true })
  if (readdirSync(path).length === 0) rmdirSync(path)
  const told = links.length === 0 ? [`no program was pinned in ${path}`] : links.map((name) => `${name}: the program is off`)
  return [...told, ...restored]
}

function namesIn(path: string, kind: 'link' | 'map'): string[] {
  return existsSync(path) ? readdirSync(path).filter((name) => name.startsWith(`${kind}-`)) : []
}

/** What the maps that flows depend on hold, in a few letters: other fields, or the same in other places, are other letters. */
function layoutOf(object: BpfObject): string {
  const structs = FLOW_STRUCTS.map((name) =>
    object.layout(name).fields.map((field) => `${name}.${field.name} ${field.offset} ${field.size}`),
  )
  const words = ['flow_state', 'flow_flag'].map((name) => [...object.btf.enumerators(name)])
  return createHash('sha256')
    .update(JSON.stringify([structs, words]))
    .digest('hex')
    .slice(0, LAYOUT_LETTERS)
}
