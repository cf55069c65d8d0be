import { type BpfMap, createMap, type NativeBpf, openPinnedMap, pin } from '../kernel/bpf/index.ts'

const MAP_TYPE_HASH = 1
const FLAG_NO_PREALLOCATION = 1
const MOST_TEXTS = 1024
const KEY_BYTES = 64
const VALUE_BYTES = 16

/**
 * Short texts by name, under a path in a BPF file system: they outlive the process as the programs and tables beside them do, and are gone
 * with a restart of the machine as they are. A BPF file system keeps no files, hence a map.
 */
export class PinnedTexts {
  readonly #native: NativeBpf
  readonly #path: string

  constructor(native: NativeBpf, path: string) {
    this.#native = native
    this.#path = path
  }

  read(): Record<string, string> {
    const map = openPinnedMap(this.#native, this.#path, 'texts')
    if (map === undefined) return {}
    try {
      return this.#readAll(map)
    } finally {
      map.close()
    }
  }

  /** Exactly these from now on. */
  write(texts: Readonly<Record<string, string>>): void {
    const known = openPinnedMap(this.#native, this.#path, 'texts')
    if (known === undefined && Object.keys(texts).length === 0) return
    const map = known ?? this.#create()
    try {
      for (const key of Object.keys(this.#readAll(map))) if (!(key in texts)) map.delete(field(key, KEY_BYTES))
      for (const [key, value] of Object.entries(texts)) map.set(field(key, KEY_BYTES), field(value, VALUE_BYTES))
    } finally {
      map.close()
    }
  }

  #create(): BpfMap {
    const shape = { name: 'texts', type: MAP_TYPE_HASH, keySize: KEY_BYTES, valueSize: VALUE_BYTES, maxEntries: MOST_TEXTS }
    const map = createMap(this.#native, { ...shape, flags: FLAG_NO_PREALLOCATION }, 1)
    pin(this.#native, map.fd, this.#path)
    return map
  }

  #readAll(map: BpfMap): Record<string, string> {
    const texts: [string, string][] = []
    map.visit((keys, keyAt, values, valueAt) => {
      texts.push([text(keys.subarray(keyAt, keyAt + KEY_BYTES)), text(values.subarray(valueAt, valueAt + VALUE_BYTES))])
    })
    return Object.fromEntries(texts.sort())
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
