import { EvenerError } from '../../core/index.ts'

/** One section of an ELF64 file; `bytes` is empty for a section that occupies no space in the file (.bss). */
export interface ElfSection {
  readonly index: number
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly size: number
  readonly link: number
  readonly info: number
  readonly bytes: Uint8Array
}

export interface ElfSymbol {
  readonly name: string
  readonly value: number
  readonly size: number
  /** STT_*: 0 none, 1 object, 2 function, 3 section. */
  readonly type: number
  readonly section: number
}

export interface ElfRelocation {
  readonly offset: number
  readonly type: number
  readonly symbol: ElfSymbol
}

export interface ElfFile {
  readonly sections: readonly ElfSection[]
  readonly symbols: readonly ElfSymbol[]
  /** By the index of the section that they change. */
  readonly relocations: ReadonlyMap<number, readonly ElfRelocation[]>
}

export const SYMBOL_FUNCTION = 2
export const SYMBOL_SECTION = 3
const SECTION_SYMBOLS = 2
const SECTION_NO_BITS = 8
const SECTION_RELOCATIONS = 9
const MACHINE_BPF = 247
const HEADER_BYTES = 64
const SECTION_HEADER_BYTES = 64
const SYMBOL_BYTES = 24
const RELOCATION_BYTES = 16

/**
 * Reads a little-endian ELF64 object for the BPF machine. Every offset is checked against the file, so a cut or damaged file
 * gives BPF_OBJECT_INVALID and never a read outside of it.
 */
export function readElf(bytes: Uint8Array): ElfFile {
  checkHeader(bytes)
  const sections = readSections(bytes)
  const symbolSection = sections.find((section) => section.type === SECTION_SYMBOLS)
  const symbols = symbolSection === undefined ? [] : readSymbols(symbolSection, sectionAt(sections, symbolSection.link))
  const relocations = new Map<number, ElfRelocation[]>()
  for (const section of sections) {
    if (section.type === SECTION_RELOCATIONS) relocations.set(section.info, readRelocations(section, symbols))
  }
  return { sections, symbols, relocations }
}

export function findSection(file: ElfFile, name: string): ElfSection | undefined {
  return file.sections.find((section) => section.name === name)
}

export function invalidObject(why: string): EvenerError {
  return new EvenerError('BPF_OBJECT_INVALID', `the BPF object cannot be read: ${why}`)
}

function checkHeader(bytes: Uint8Array): void {
  if (bytes.length < HEADER_BYTES) throw invalidObject('it is shorter than an ELF header')
  if (bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) throw invalidObject('it is not an ELF file')
  if (bytes[4] !== 2 || bytes[5] !== 1) throw invalidObject('it is not a 64-bit little-endian ELF file')
  if (viewOf(bytes).getUint16(18, true) !== MACHINE_BPF) throw invalidObject('it is for another machine than BPF')
}

function readSections(bytes: Uint8Array): ElfSection[] {
  const view = viewOf(bytes)
  const start = readOffset(view, 40)
  const count = view.getUint16(60, true)
  const namesIndex = view.getUint16(62, true)
  if (start + count * SECTION_HEADER_BYTES > bytes.length) throw invalidObject('its section table lies outside of the file')
  if (namesIndex >= count) throw invalidObject('its section names are missing')
  const names = contentOf(bytes, view, start + namesIndex * SECTION_HEADER_BYTES)
  const sections: ElfSection[] = []
  for (let index = 0; index < count; index++) {
    const at = start + index * SECTION_HEADER_BYTES
    sections.push({
      index,
      name: readName(names, view.getUint32(at, true)),
      type: view.getUint32(at + 4, true),
      flags: readOffset(view, at + 8),
      size: readOffset(view, at + 32),
      link: view.getUint32(at + 40, true),
      info: view.getUint32(at + 44, true),
      bytes: contentOf(bytes, view, at),
    })
  }
  return sections
}

function contentOf(bytes: Uint8Array, view: DataView, header: number): Uint8Array {
  if (view.getUint32(header + 4, true) === SECTION_NO_BITS) return bytes.subarray(0, 0)
  const start = readOffset(view, header + 24)
  const size = readOffset(view, header + 32)
  if (start + size > bytes.length) throw invalidObject('a section lies outside of the file')
  return bytes.subarray(start, start + size)
}

function readSymbols(section: ElfSection, names: ElfSection): ElfSymbol[] {
  const view = viewOf(section.bytes)
  const symbols: ElfSymbol[] = []
  for (let at = 0; at + SYMBOL_BYTES <= section.bytes.length; at += SYMBOL_BYTES) {
    symbols.push({
      name: readName(names.bytes, view.getUint32(at, true)),
      type: section.bytes[at + 4] & 15,
      section: view.getUint16(at + 6, true),
      value: readOffset(view, at + 8),
      size: readOffset(view, at + 16),
    })
  }
  return symbols
}

function readRelocations(section: ElfSection, symbols: readonly ElfSymbol[]): ElfRelocation[] {
  const view = viewOf(section.bytes)
  const relocations: ElfRelocation[] = []
  for (let at = 0; at + RELOCATION_BYTES <= section.bytes.length; at += RELOCATION_BYTES) {
    const symbol = symbols[view.getUint32(at + 12, true)]
    if (symbol === undefined) throw invalidObject('a relocation names no symbol')
    relocations.push({ offset: readOffset(view, at), type: view.getUint32(at + 8, true), symbol })
  }
  return relocations
}

function sectionAt(sections: readonly ElfSection[], index: number): ElfSection {
  const section = sections[index]
  if (section === undefined) throw invalidObject(`it has no section ${index}`)
  return section
}

/** Offsets are 64 bits wide; none that fits a file of ours exceeds 2^53. */
function readOffset(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true))
}

/** A NUL-terminated name from a string table. */
export function readName(table: Uint8Array, start: number): string {
  if (start >= table.length) return ''
  const end = table.indexOf(0, start)
  return Buffer.from(table.buffer, table.byteOffset + start, (end === -1 ? table.length : end) - start).toString('latin1')
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
