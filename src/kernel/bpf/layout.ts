import { BTF_KIND, type Btf } from './btf.ts'
import { invalidObject } from './elf.ts'

export interface Field {
  readonly name: string
  readonly offset: number
  readonly size: number
}

/**
 * Where the fields of a C struct lie, read from the object's BTF, so that no offset is written twice. Members of nested structs
 * and unions are named with dots ("to.source"); members of unnamed ones as if they stood in the outer struct.
 */
export class StructLayout {
  readonly name: string
  readonly size: number
  readonly fields: readonly Field[]
  readonly #byName: ReadonlyMap<string, Field>

  constructor(btf: Btf, name: string) {
    const type = btf.find(BTF_KIND.STRUCT, name)
    if (type === undefined) throw invalidObject(`its BTF has no struct ${name}`)
    this.name = name
    this.size = type.sizeOrType
    const fields: Field[] = []
    collect(btf, type.id, '', 0, fields)
    this.fields = fields
    this.#byName = new Map(fields.map((field) => [field.name, field]))
  }

  field(name: string): Field {
    const field = this.#byName.get(name)
    if (field === undefined) throw invalidObject(`struct ${this.name} has no field ${name}`)
    return field
  }

  offset(name: string): number {
    return this.field(name).offset
  }

  /** Bytes of one struct with the fields given set, the others 0. A Uint8Array fills a field of exactly its length. */
  encode(values: Record<string, number | bigint | Uint8Array>): Uint8Array {
    const bytes = new Uint8Array(this.size)
    this.write(bytes, 0, values)
    return bytes
  }

  write(bytes: Uint8Array, at: number, values: Record<string, number | bigint | Uint8Array>): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, this.size)
    for (const name of Object.keys(values)) {
      const field = this.field(name)
      const value = values[name]
      if (value instanceof Uint8Array) {
        if (value.length !== field.size) throw invalidObject(`field ${this.name}.${name} has ${field.size} bytes, not ${value.length}`)
        bytes.set(value, at + field.offset)
      } else writeInteger(view, field, value)
    }
  }

  /** A field of up to 6 bytes, or of 8 with a value below 2^53. */
  read(bytes: Uint8Array, at: number, name: string): number {
    const field = this.field(name)
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, this.size)
    if (field.size === 1) return view.getUint8(field.offset)
    if (field.size === 2) return view.getUint16(field.offset, true)
    if (field.size === 4) return view.getUint32(field.offset, true)
    return Number(view.getBigUint64(field.offset, true))
  }

  readBytes(bytes: Uint8Array, at: number, name: string): Uint8Array {
    const field = this.field(name)
    return bytes.subarray(at + field.offset, at + field.offset + field.size)
  }
}

function writeInteger(view: DataView, field: Field, value: number | bigint): void {
  if (field.size === 1) view.setUint8(field.offset, Number(value))
  else if (field.size === 2) view.setUint16(field.offset, Number(value), true)
  else if (field.size === 4) view.setUint32(field.offset, Number(value), true)
  else if (field.size === 8) view.setBigUint64(field.offset, BigInt(value), true)
  else throw invalidObject(`field ${field.name} is not a number`)
}

function collect(btf: Btf, id: number, prefix: string, base: number, fields: Field[]): void {
  for (const member of btf.resolve(id).members) {
    const type = btf.resolve(member.type)
    const offset = base + (member.offset >>> 3)
    const name = member.name === '' ? prefix : prefix === '' ? member.name : `${prefix}.${member.name}`
    if (name !== prefix) fields.push({ name, offset, size: btf.sizeOf(member.type) })
    if (type.kind === BTF_KIND.STRUCT || type.kind === BTF_KIND.UNION) collect(btf, type.id, name, offset, fields)
  }
}
