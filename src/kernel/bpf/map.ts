import { Attribute, BPF, bpfFailure, checked, ERRNO, type NativeBpf } from './calls.ts'

export interface MapShape {
  readonly name: string
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
}

/** BPF_ANY, BPF_NOEXIST, BPF_EXIST. */
export const UPDATE = { ANY: 0n, NEW: 1n, EXISTING: 2n } as const
const PER_CPU_TYPES = [5, 6, 10, 21]

/** A map in the kernel, by its descriptor. Keys and values are bytes in the machine's order, as structs of the program text. */
export class BpfMap {
  readonly fd: number
  readonly shape: MapShape
  /** Bytes of a value as user space sees it: of a per-CPU map, one copy (rounded up to 8) for each possible CPU. */
  readonly valueBytes: number
  readonly #native: NativeBpf

  constructor(native: NativeBpf, fd: number, shape: MapShape, cpus: number) {
    this.#native = native
    this.fd = fd
    this.shape = shape
    this.valueBytes = PER_CPU_TYPES.includes(shape.type) ? ((shape.valueSize + 7) & ~7) * cpus : shape.valueSize
  }

  /** The value, or undefined if there is none. */
  lookup(key: Uint8Array): Uint8Array | undefined {
    const value = new Uint8Array(this.valueBytes)
    const result = this.#element(BPF.MAP_LOOKUP, key, value, 0n)
    if (result === -ERRNO.ENOENT) return undefined
    checked(`reading map ${this.shape.name}`, result)
    return value
  }

  set(key: Uint8Array, value: Uint8Array, flags: bigint = UPDATE.ANY): void {
    if (value.length !== this.valueBytes) throw bpfFailure(`writing map ${this.shape.name}: ${value.length} bytes`, -ERRNO.EINVAL)
    checked(`writing map ${this.shape.name}`, this.#element(BPF.MAP_UPDATE, key, value, flags))
  }

  /** False if there was none. */
  delete(key: Uint8Array): boolean {
    const result = this.#element(BPF.MAP_DELETE, key, undefined, 0n)
    if (result === -ERRNO.ENOENT) return false
    checked(`deleting from map ${this.shape.name}`, result)
    return true
  }

  lookupAt(index: number): Uint8Array {
    return this.lookup(indexKey(index)) ?? new Uint8Array(this.valueBytes)
  }

  setAt(index: number, value: Uint8Array): void {
    this.set(indexKey(index), value)
  }

  /** Puts another map into a slot of a map of maps, or a device into a map of devices. */
  setNumberAt(index: number, value: number): void {
    this.set(indexKey(index), indexKey(value))
  }

  /** Each entry once, if the map does not change meanwhile; `visit` sees buffers that are reused from batch to batch. */
  visit(visit: (keys: Uint8Array, keyAt: number, values: Uint8Array, valueAt: number) => void): void {
    const { keySize } = this.shape
    for (const cursor = this.cursor(); !cursor.isAtEnd; ) {
      const count = cursor.next()
      for (let index = 0; index < count; index++) visit(cursor.keys, index * keySize, cursor.values, index * this.valueBytes)
    }
  }

  /** A place in the map, to go on from batch by batch. */
  cursor(batch = 4096): MapCursor {
    return new MapCursor(this.#native, this, batch)
  }

  /** Writes many entries in one call; keys and values lie one behind the other. */
  setMany(keys: Uint8Array, values: Uint8Array): void {
    const count = keys.length / this.shape.keySize
    if (count === 0) return
    const attribute = new Attribute(56).pointer(16, keys).pointer(24, values).u32(32, count).u32(36, this.fd)
    checked(`writing map ${this.shape.name}`, attribute.call(this.#native, BPF.MAP_UPDATE_BATCH))
  }

  freeze(): void {
    checked(`freezing map ${this.shape.name}`, new Attribute(8).u32(0, this.fd).call(this.#native, BPF.MAP_FREEZE))
  }

  close(): void {
    this.#native.bpfClose(this.fd)
  }

  #element(command: number, key: Uint8Array, value: Uint8Array | undefined, flags: bigint): number {
    const attribute = new Attribute(32).u32(0, this.fd).pointer(8, key).pointer(16, value).u64(24, flags)
    return attribute.call(this.#native, command)
  }
}

/** Goes through a map, a batch for each next(): entries lie in `keys` and `values`, one behind the other, until the next call. */
export class MapCursor {
  readonly keys: Uint8Array
  readonly values: Uint8Array
  isAtEnd = false
  readonly #native: NativeBpf
  readonly #map: BpfMap
  readonly #batch: number
  #place: Uint8Array | undefined

  constructor(native: NativeBpf, map: BpfMap, batch: number) {
    this.#native = native
    this.#map = map
    this.#batch = batch
    this.keys = new Uint8Array(map.shape.keySize * batch)
    this.values = new Uint8Array(map.valueBytes * batch)
  }

  /** How many entries were read. */
  next(): number {
    const place = new Uint8Array(Math.max(this.#map.shape.keySize, 8))
    const attribute = new Attribute(56).pointer(0, this.#place).pointer(8, place).pointer(16, this.keys).pointer(24, this.values)
    attribute.u32(32, this.#batch).u32(36, this.#map.fd)
    const result = attribute.call(this.#native, BPF.MAP_LOOKUP_BATCH)
    if (result < 0 && result !== -ERRNO.ENOENT) throw bpfFailure(`reading map ${this.#map.shape.name}`, result)
    this.#place = place
    this.isAtEnd = result < 0
    return attribute.view.getUint32(32, true)
  }
}

export function indexKey(index: number): Uint8Array {
  const key = new Uint8Array(4)
  new DataView(key.buffer).setUint32(0, index, true)
  return key
}

/** Makes a map. `types` ties it to the object's BTF, so that tools can print keys and values. */
export function createMap(
  native: NativeBpf,
  shape: MapShape,
  cpus: number,
  types?: { btf: number; key: number; value: number },
  innerFd = 0,
): BpfMap {
  const attribute = new Attribute(72).u32(0, shape.type).u32(4, shape.keySize).u32(8, shape.valueSize).u32(12, shape.maxEntries)
  attribute.u32(16, shape.flags).u32(20, innerFd).text(28, shape.name.replaceAll('.', '_'), 16)
  if (types !== undefined) attribute.u32(48, types.btf).u32(52, types.key).u32(56, types.value)
  const fd = checked(`creating map ${shape.name} (${shape.maxEntries} entries)`, attribute.call(native, BPF.MAP_CREATE))
  return new BpfMap(native, fd, shape, cpus)
}

/** What the kernel says of a map: type, sizes, entries, flags. */
export function readShape(native: NativeBpf, fd: number, name: string): MapShape {
  const info = new Uint8Array(88)
  const view = new DataView(info.buffer)
  const attribute = new Attribute(16).u32(0, fd).u32(4, info.length).pointer(8, info)
  checked(`inspecting map ${name}`, attribute.call(native, BPF.OBJ_GET_INFO))
  return {
    name,
    type: view.getUint32(0, true),
    keySize: view.getUint32(8, true),
    valueSize: view.getUint32(12, true),
    maxEntries: view.getUint32(16, true),
    flags: view.getUint32(20, true),
  }
}
