import { invalidObject, readName, viewOf } from './elf.ts'

/** Kinds of BTF types (include/uapi/linux/btf.h). */
export const BTF_KIND = {
  INT: 1,
  POINTER: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FORWARD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNCTION: 12,
  FUNCTION_PROTOTYPE: 13,
  VARIABLE: 14,
  DATA_SECTION: 15,
  FLOAT: 16,
  DECLARATION_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const

export interface BtfMember {
  readonly name: string
  readonly type: number
  /** Of a struct member: its offset in bits. Of a variable in a data section: its offset in bytes. Of an enumerator: its value. */
  readonly offset: number
  readonly size: number
}

export interface BtfType {
  readonly id: number
  readonly name: string
  readonly kind: number
  /** Size in bytes of types that have one, else the type that is referred to. */
  readonly sizeOrType: number
  readonly members: readonly BtfMember[]
  /** Of an array: element type and count. Of a variable or function: `count` is the linkage. */
  readonly element: number
  readonly count: number
  /** Where the type's record begins in the section, for the corrections that the kernel wants. */
  readonly at: number
}

const MAGIC = 0xeb9f
const HEADER_BYTES = 24

/** The types of a BPF object: what its structs, enums and maps look like, as the compiler laid them out. */
export class Btf {
  readonly bytes: Uint8Array
  readonly types: readonly BtfType[]
  readonly #strings: Uint8Array
  readonly #byName = new Map<string, BtfType>()

  constructor(section: Uint8Array) {
    this.bytes = section
    if (section.length < HEADER_BYTES) throw invalidObject('its BTF section is too short')
    const view = viewOf(section)
    if (view.getUint16(0, true) !== MAGIC) throw invalidObject('its BTF section has a wrong magic number')
    const start = view.getUint32(4, true)
    const typesAt = start + view.getUint32(8, true)
    const typesEnd = typesAt + view.getUint32(12, true)
    const stringsAt = start + view.getUint32(16, true)
    const stringsEnd = stringsAt + view.getUint32(20, true)
    if (typesEnd > section.length || stringsEnd > section.length) throw invalidObject('its BTF section is cut short')
    this.#strings = section.subarray(stringsAt, stringsEnd)
    this.types = this.#readTypes(view, typesAt, typesEnd)
    for (const type of this.types) if (type.name !== '') this.#byName.set(`${type.kind}:${type.name}`, type)
  }

  find(kind: number, name: string): BtfType | undefined {
    return this.#byName.get(`${kind}:${name}`)
  }

  text(offset: number): string {
    return readName(this.#strings, offset)
  }

  type(id: number): BtfType {
    const type = this.types[id]
    if (type === undefined) throw invalidObject(`its BTF has no type ${id}`)
    return type
  }

  /** The type behind typedefs, const, volatile and restrict. */
  resolve(id: number): BtfType {
    let type = this.type(id)
    for (let depth = 0; depth < 32; depth++) {
      if (type.kind !== BTF_KIND.TYPEDEF && !isQualifier(type.kind)) return type
      type = this.type(type.sizeOrType)
    }
    throw invalidObject('its BTF has a chain of types without an end')
  }

  sizeOf(id: number): number {
    const type = this.resolve(id)
    if (type.kind === BTF_KIND.POINTER) return 8
    if (type.kind === BTF_KIND.ARRAY) return type.count * this.sizeOf(type.element)
    return type.sizeOrType
  }

  /** Names of an enum's values, by value. */
  enumerators(name: string): ReadonlyMap<string, number> {
    const type = this.find(BTF_KIND.ENUM, name)
    if (type === undefined) throw invalidObject(`its BTF has no enum ${name}`)
    return new Map(type.members.map((member) => [member.name, member.offset]))
  }

  #readTypes(view: DataView, start: number, end: number): BtfType[] {
    const types: BtfType[] = [{ id: 0, name: 'void', kind: 0, sizeOrType: 0, members: [], element: 0, count: 0, at: 0 }]
    let at = start
    while (at + 12 <= end) {
      const info = view.getUint32(at + 4, true)
      const kind = (info >>> 24) & 31
      const length = info & 0xffff
      const tail = tailBytes(kind, length)
      if (at + 12 + tail > end) throw invalidObject('its BTF types are cut short')
      types.push({
        id: types.length,
        name: this.text(view.getUint32(at, true)),
        kind,
        sizeOrType: view.getUint32(at + 8, true),
        members: this.#readMembers(view, at + 12, kind, length, info >>> 31 === 1),
        element: kind === BTF_KIND.ARRAY ? view.getUint32(at + 12, true) : 0,
        count: countOf(view, at, kind, length),
        at,
      })
      at += 12 + tail
    }
    return types
  }

  #readMembers(view: DataView, start: number, kind: number, length: number, flag: boolean): BtfMember[] {
    const members: BtfMember[] = []
    for (let index = 0; index < length; index++) {
      if (kind === BTF_KIND.STRUCT || kind === BTF_KIND.UNION) {
        const at = start + index * 12
        const offset = view.getUint32(at + 8, true)
        const bits = flag ? offset >>> 24 : 0
        const place = flag ? offset & 0xffffff : offset
        members.push({ name: this.text(view.getUint32(at, true)), type: view.getUint32(at + 4, true), offset: place, size: bits })
      } else if (kind === BTF_KIND.DATA_SECTION) {
        const at = start + index * 12
        const offset = view.getUint32(at + 4, true)
        members.push({ name: '', type: view.getUint32(at, true), offset, size: view.getUint32(at + 8, true) })
      } else if (kind === BTF_KIND.ENUM) {
        const at = start + index * 8
        members.push({ name: this.text(view.getUint32(at, true)), type: 0, offset: view.getInt32(at + 4, true), size: 0 })
      }
    }
    return members
  }
}

function isQualifier(kind: number): boolean {
  return kind === BTF_KIND.CONST || kind === BTF_KIND.VOLATILE || kind === BTF_KIND.RESTRICT || kind === BTF_KIND.TYPE_TAG
}

function countOf(view: DataView, at: number, kind: number, length: number): number {
  if (kind === BTF_KIND.ARRAY) return view.getUint32(at + 20, true)
  if (kind === BTF_KIND.VARIABLE) return view.getUint32(at + 12, true)
  return length
}

function tailBytes(kind: number, length: number): number {
  switch (kind) {
    case BTF_KIND.INT:
    case BTF_KIND.VARIABLE:
    case BTF_KIND.DECLARATION_TAG:
      return 4
    case BTF_KIND.ARRAY:
      return 12
    case BTF_KIND.STRUCT:
    case BTF_KIND.UNION:
    case BTF_KIND.DATA_SECTION:
    case BTF_KIND.ENUM64:
      return length * 12
    case BTF_KIND.ENUM:
    case BTF_KIND.FUNCTION_PROTOTYPE:
      return length * 8
    default:
      return 0
  }
}
