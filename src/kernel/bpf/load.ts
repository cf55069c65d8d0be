import { readFileSync } from 'node:fs'
import { Attribute, BPF, bpfFailure, checked, ERRNO, type NativeBpf } from './calls.ts'
import { linkProgram } from './link-code.ts'
import { BpfMap, createMap, type MapShape, readShape } from './map.ts'
import { type BpfObject, completeTypes, type MapDefinition } from './object.ts'
import { type BpfProgram, loadProgram } from './program.ts'

export interface LoadOptions {
  /** Entries of maps whose size is configured, by name. */
  readonly sizes?: Readonly<Record<string, number>>
  /** Values of `const volatile` variables of the program text, fixed before the verifier sees them. */
  readonly constants?: Readonly<Record<string, number>>
  /** Maps that exist already (pinned by an earlier process), by name; they are used as they are. */
  readonly existing?: ReadonlyMap<string, BpfMap>
  /** Programs to load; all of the object if absent. */
  readonly programs?: readonly string[]
}

/** An object's maps and programs in the kernel. close() gives the descriptors back; what is pinned or attached stays. */
export class LoadedObject {
  readonly maps: ReadonlyMap<string, BpfMap>
  readonly programs: ReadonlyMap<string, BpfProgram>

  constructor(maps: ReadonlyMap<string, BpfMap>, programs: ReadonlyMap<string, BpfProgram>) {
    this.maps = maps
    this.programs = programs
  }

  map(name: string): BpfMap {
    const map = this.maps.get(name)
    if (map === undefined) throw bpfFailure(`map ${name} is not in the object`, -ERRNO.ENOENT)
    return map
  }

  program(name: string): BpfProgram {
    const program = this.programs.get(name)
    if (program === undefined) throw bpfFailure(`program ${name} is not in the object`, -ERRNO.ENOENT)
    return program
  }

  close(): void {
    for (const program of this.programs.values()) program.close()
    for (const map of this.maps.values()) map.close()
  }
}

/** Creates the object's maps and loads its programs. On any failure everything made so far is given back. */
export function loadObject(native: NativeBpf, object: BpfObject, options: LoadOptions = {}): LoadedObject {
  const maps = new Map<string, BpfMap>()
  const programs = new Map<string, BpfProgram>()
  const btf = loadTypes(native, object)
  try {
    for (const definition of object.maps) {
      const existing = options.existing?.get(definition.name)
      maps.set(definition.name, existing ?? makeMap(native, object, definition, btf, options))
    }
    const descriptors = new Map([...maps].map(([name, map]) => [name, map.fd]))
    for (const program of object.programs) {
      if (options.programs !== undefined && !options.programs.includes(program.name)) continue
      const linked = linkProgram(object, program, descriptors)
      programs.set(program.name, loadProgram(native, program.name, program.section, linked, object.license, btf))
    }
    return new LoadedObject(maps, programs)
  } catch (error) {
    for (const program of programs.values()) program.close()
    for (const [name, map] of maps) if (options.existing?.get(name) === undefined) map.close()
    throw error
  } finally {
    native.bpfClose(btf)
  }
}

function loadTypes(native: NativeBpf, object: BpfObject): number {
  const bytes = completeTypes(object)
  const result = new Attribute(32).pointer(0, bytes).u32(16, bytes.length).call(native, BPF.BTF_LOAD)
  return checked('loading the types of the BPF object', result)
}

function makeMap(native: NativeBpf, object: BpfObject, definition: MapDefinition, btf: number, options: LoadOptions): BpfMap {
  const shape = shapeOf(definition, options.sizes)
  const types = hasTypes(definition) ? { btf, key: definition.keyType, value: definition.valueType } : undefined
  if (definition.inner !== undefined) {
    const inner = createMap(native, shapeOf(definition.inner, options.sizes), possibleCpus())
    try {
      return createMap(native, shape, possibleCpus(), undefined, inner.fd)
    } finally {
      inner.close()
    }
  }
  const map = createMap(native, shape, possibleCpus(), types)
  if (definition.content === undefined) return map
  const content = definition.content.slice()
  if (definition.name === '.rodata') setConstants(object, content, options.constants ?? {})
  map.setAt(0, content)
  if (definition.name === '.rodata') map.freeze()
  return map
}

/** The form that a map of the object gets with these sizes; a pinned map is only taken over if it has the same. */
export function shapeOf(definition: MapDefinition, sizes: Readonly<Record<string, number>> = {}): MapShape {
  const { name, type, keySize, valueSize, maxEntries, flags } = definition
  return { name, type, keySize, valueSize, maxEntries: sizes[name] ?? maxEntries, flags }
}

// Arrays of maps and of devices take no types; the kernel refuses the whole map if they are given.
function hasTypes(definition: MapDefinition): boolean {
  return definition.keyType !== 0 && definition.valueType !== 0 && [1, 2, 5, 6, 9, 10].includes(definition.type)
}

function setConstants(object: BpfObject, content: Uint8Array, constants: Readonly<Record<string, number>>): void {
  const view = new DataView(content.buffer)
  for (const name of Object.keys(constants)) {
    const { offset, size } = object.variable('.rodata', name)
    if (size === 1) view.setUint8(offset, constants[name])
    else if (size === 4) view.setUint32(offset, constants[name], true)
    else view.setBigUint64(offset, BigInt(constants[name]), true)
  }
}

/** "0-1,4" in /sys/devices/system/cpu/possible: values of per-CPU maps have one copy for each of these. */
export function possibleCpus(): number {
  const ranges = readFileSync('/sys/devices/system/cpu/possible', 'latin1').trim().split(',')
  let count = 0
  for (const range of ranges) {
    const [first, last] = range.split('-')
    count += Number(last ?? first) - Number(first) + 1
  }
  return count
}

/** Gives a map, program or link a name in a BPF file system, under which it outlives this process. */
export function pin(native: NativeBpf, fd: number, path: string): void {
  checked(
    `pinning ${path}`,
    new Attribute(24)
      .pointer(0, Buffer.from(`${path}\0`))
      .u32(8, fd)
      .call(native, BPF.OBJ_PIN),
  )
}

/** The descriptor of what is pinned under a path, or undefined. */
export function openPinned(native: NativeBpf, path: string): number | undefined {
  const result = new Attribute(24).pointer(0, Buffer.from(`${path}\0`)).call(native, BPF.OBJ_GET)
  if (result === -ERRNO.ENOENT || result === -ERRNO.ENOTDIR) return undefined
  return checked(`opening ${path}`, result)
}

export function openPinnedMap(native: NativeBpf, path: string, name: string): BpfMap | undefined {
  const fd = openPinned(native, path)
  return fd === undefined ? undefined : new BpfMap(native, fd, readShape(native, fd, name), possibleCpus())
}
