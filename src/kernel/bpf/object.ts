import { BTF_KIND, Btf, type BtfType } from './btf.ts'
import { type ElfFile, type ElfSymbol, findSection, invalidObject, readElf, SYMBOL_FUNCTION, viewOf } from './elf.ts'
import { StructLayout } from './layout.ts'

/** What a program text says of one of its maps. */
export interface MapDefinition {
  readonly name: string
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly keyType: number
  readonly valueType: number
  readonly maxEntries: number
  readonly flags: number
  /** The form of the maps inside, of a map of maps. */
  readonly inner: MapDefinition | undefined
  /** Initial content, of .rodata, .data and .bss. */
  readonly content: Uint8Array | undefined
}

/** A function that the kernel may call, with the section that says how ("xdp", "syscall", "tc"). */
export interface ProgramDefinition {
  readonly name: string
  readonly section: string
  readonly symbol: ElfSymbol
}

export const MAP_TYPE_ARRAY = 2
const FLAG_READ_ONLY_PROGRAM = 1 << 7
const DATA_SECTIONS = ['.rodata', '.data', '.bss']

/** A compiled BPF object, read but not loaded. Reading needs no privileges. */
export class BpfObject {
  readonly elf: ElfFile
  readonly btf: Btf
  readonly license: string
  readonly maps: readonly MapDefinition[]
  readonly programs: readonly ProgramDefinition[]

  constructor(bytes: Uint8Array) {
    // A copy, and no Buffer: slice() of a Buffer shares memory, and linking writes into slices.
    this.elf = readElf(new Uint8Array(bytes))
    const btf = findSection(this.elf, '.BTF')
    if (btf === undefined) throw invalidObject('it has no BTF section')
    this.btf = new Btf(btf.bytes)
    this.license = Buffer.from(findSection(this.elf, 'license')?.bytes ?? []).toString('latin1')
    this.maps = [...this.#declaredMaps(), ...this.#dataMaps()]
    this.programs = this.#findPrograms()
  }

  layout(struct: string): StructLayout {
    return new StructLayout(this.btf, struct)
  }

  /** Where a variable lies in its data section. */
  variable(section: string, name: string): { offset: number; size: number } {
    const index = findSection(this.elf, section)?.index
    const symbol = this.elf.symbols.find((candidate) => candidate.name === name && candidate.section === index)
    if (symbol === undefined) throw invalidObject(`${section} has no variable ${name}`)
    return { offset: symbol.value, size: symbol.size }
  }

  #findPrograms(): ProgramDefinition[] {
    const programs: ProgramDefinition[] = []
    for (const symbol of this.elf.symbols) {
      const section = this.elf.sections[symbol.section]
      if (symbol.type !== SYMBOL_FUNCTION || section === undefined || section.name === '.text') continue
      programs.push({ name: symbol.name, section: section.name, symbol })
    }
    return programs
  }

  #declaredMaps(): MapDefinition[] {
    const section = this.btf.find(BTF_KIND.DATA_SECTION, '.maps')
    if (section === undefined) return []
    return section.members.map((member) => {
      const variable = this.btf.type(member.type)
      return readMap(this.btf, variable.name, this.btf.resolve(variable.sizeOrType))
    })
  }

  #dataMaps(): MapDefinition[] {
    const maps: MapDefinition[] = []
    for (const name of DATA_SECTIONS) {
      const section = findSection(this.elf, name)
      if (section === undefined || section.size === 0) continue
      const content = new Uint8Array(section.size)
      content.set(section.bytes)
      const flags = name === '.rodata' ? FLAG_READ_ONLY_PROGRAM : 0
      const valueType = this.btf.find(BTF_KIND.DATA_SECTION, name)?.id ?? 0
      const shape = { type: MAP_TYPE_ARRAY, keySize: 4, valueSize: section.size, keyType: 0, valueType, maxEntries: 1 }
      maps.push({ name, ...shape, flags, inner: undefined, content })
    }
    return maps
  }
}

/** The types of an object with sizes and places of its data sections filled in, which the compiler leaves 0 and the kernel demands. */
export function completeTypes(object: BpfObject): Uint8Array {
  const bytes = object.btf.bytes.slice()
  const view = viewOf(bytes)
  for (const type of object.btf.types) {
    if (type.kind !== BTF_KIND.DATA_SECTION) continue
    const section = findSection(object.elf, type.name)
    if (section === undefined) throw invalidObject(`its BTF describes a section ${type.name} that it has not`)
    view.setUint32(type.at + 8, section.size, true)
    const records = type.members.map((member) => {
      const name = object.btf.type(member.type).name
      const symbol = object.elf.symbols.find((candidate) => candidate.name === name && candidate.section === section.index)
      return { type: member.type, offset: symbol?.value ?? member.offset, size: member.size }
    })
    records.sort((a, b) => a.offset - b.offset)
    records.forEach((record, index) => {
      const at = type.at + 12 + index * 12
      view.setUint32(at, record.type, true)
      view.setUint32(at + 4, record.offset, true)
      view.setUint32(at + 8, record.size, true)
    })
  }
  return bytes
}

// A map is declared as a struct whose members are types: `int (*type)[1]` says type 1, `__u32 *key` says what a key is.
function readMap(btf: Btf, name: string, struct: BtfType): MapDefinition {
  const numbers = new Map<string, number>()
  const types = new Map<string, number>()
  let inner: MapDefinition | undefined
  for (const member of struct.members) {
    const type = btf.resolve(member.type)
    if (member.name === 'values') {
      const element = btf.resolve(btf.resolve(type.element).sizeOrType)
      if (element.kind === BTF_KIND.STRUCT) inner = readMap(btf, `${name}.inner`, element)
      continue
    }
    if (type.kind !== BTF_KIND.POINTER) throw invalidObject(`map ${name} has a member ${member.name} of a wrong type`)
    const target = btf.resolve(type.sizeOrType)
    if (member.name === 'key' || member.name === 'value') types.set(member.name, type.sizeOrType)
    else numbers.set(member.name, target.kind === BTF_KIND.ARRAY ? target.count : 0)
  }
  const keyType = types.get('key') ?? 0
  const valueType = types.get('value') ?? 0
  return {
    name,
    type: numbers.get('type') ?? 0,
    keySize: keyType === 0 ? (numbers.get('key_size') ?? 0) : btf.sizeOf(keyType),
    valueSize: valueType === 0 ? (numbers.get('value_size') ?? 0) : btf.sizeOf(valueType),
    keyType,
    valueType,
    maxEntries: numbers.get('max_entries') ?? 0,
    flags: numbers.get('map_flags') ?? 0,
    inner,
    content: undefined,
  }
}
