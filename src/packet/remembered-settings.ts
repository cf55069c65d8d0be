import { type BpfMap, createMap, type NativeBpf, openPinnedMap, pin } from '../kernel/bpf/index.ts'

const MAP_TYPE_HASH = 1
const FLAG_NO_PREALLOCATION = 1
const MOST_SETTINGS = 1024
const PATH_BYTES = 64
const VALUE_BYTES = 16

/**
 * What settings of /proc/sys were before they were changed, under a name in a BPF file system: it outlives the process as what the
 * settings are for does, and is gone with a restart of the machine as they are. A BPF file system keeps no files, hence a map.
 */
export class RememberedSettings {
  readonly #native: NativeBpf
  readonly #path: string

  constructor(native: NativeBpf, path: string) {
    this.#native = native
    this.#path = path
  }

  read(): Record<string, string> {
    const map = openPinnedMap(this.#native, this.#path, 'settings_before')
    if (map === undefined) return {}
    try {
      return this.#readAll(map)
    } finally {
      map.close()
    }
  }

  /** Exactly these from now on. */
  write(settings: Readonly<Record<string, string>>): void {
    const known = openPinnedMap(this.#native, this.#path, 'settings_before')
    if (known === undefined && Object.keys(settings).length === 0) return
    const map = known ?? this.#create()
    try {
      for (const path of Object.keys(this.#readAll(map))) if (!(path in settings)) map.delete(field(path, PATH_BYTES))
      for (const [path, value] of Object.entries(settings)) map.set(field(path, PATH_BYTES), field(value, VALUE_BYTES))
    } finally {
      map.close()
    }
  }

  #create(): BpfMap {
    const shape = { name: 'settings_before', type: MAP_TYPE_HASH, keySize: PATH_BYTES, valueSize: VALUE_BYTES, maxEntries: MOST_SETTINGS }
    const map = createMap(this.#native, { ...shape, flags: FLAG_NO_PREALLOCATION }, 1)
    pin(this.#native, map.fd, this.#path)
    return map
  }

  #readAll(map: BpfMap): Record<string, string> {
    const settings: Record<string, string> = {}
    map.visit((keys, keyAt, values, valueAt) => {
      settings[text(keys.subarray(keyAt, keyAt + PATH_BYTES))] = text(values.subarray(valueAt, valueAt + VALUE_BYTES))
    })
    return settings
  }
}

function field(value: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes.set(Buffer.from(value).subarray(0, length - 1))
  return bytes
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString()
}
