import { type ElfRelocation, type ElfSymbol, findSection, invalidObject, SYMBOL_FUNCTION, SYMBOL_SECTION, viewOf } from './elf.ts'
import type { BpfObject, ProgramDefinition } from './object.ts'

/** A program as the kernel takes it: one run of instructions, the entry function first and each function it reaches after it. */
export interface LinkedProgram {
  readonly code: Uint8Array
  /** bpf_func_info and bpf_line_info records, so that the verifier's log shows source lines. Empty if the object has none. */
  readonly functions: Uint8Array
  readonly lines: Uint8Array
}

export const FUNCTION_RECORD_BYTES = 8
export const LINE_RECORD_BYTES = 16
const INSTRUCTION_BYTES = 8
const CALL = 0x85
const LOAD_WIDE = 0x18
const PSEUDO_MAP = 1
const PSEUDO_MAP_VALUE = 2
const PSEUDO_FUNCTION = 4
const PSEUDO_CALL = 1

interface Unit {
  readonly symbol: ElfSymbol
  start: number
}

interface Call {
  readonly at: number
  readonly target: Unit
}

/**
 * Gathers the functions that a program reaches, wherever they are in the object, and resolves what they refer to: maps and data
 * by file descriptor, functions by distance.
 */
export function linkProgram(object: BpfObject, program: ProgramDefinition, descriptors: ReadonlyMap<string, number>): LinkedProgram {
  const units: Unit[] = [{ symbol: program.symbol, start: 0 }]
  const chunks: Uint8Array[] = []
  const calls: Call[] = []
  let length = 0
  for (let index = 0; index < units.length; index++) {
    const unit = units[index]
    unit.start = length
    const code = codeOf(object, unit.symbol)
    resolveUnit(object, unit, code, units, calls, descriptors)
    chunks.push(code)
    length += code.length
  }
  const code = Buffer.concat(chunks)
  const view = viewOf(code)
  for (const call of calls) view.setInt32(call.at + 4, (call.target.start - call.at) / INSTRUCTION_BYTES - 1, true)
  return { code, functions: collectRecords(object, units, 0), lines: collectRecords(object, units, 1) }
}

function codeOf(object: BpfObject, symbol: ElfSymbol): Uint8Array {
  const section = object.elf.sections[symbol.section]
  if (section === undefined || symbol.value + symbol.size > section.bytes.length)
    throw invalidObject(`function ${symbol.name} is cut short`)
  return section.bytes.slice(symbol.value, symbol.value + symbol.size)
}

function resolveUnit(
  object: BpfObject,
  unit: Unit,
  code: Uint8Array,
  units: Unit[],
  calls: Call[],
  descriptors: ReadonlyMap<string, number>,
): void {
  const view = viewOf(code)
  const relocations = new Map<number, ElfRelocation>()
  for (const relocation of object.elf.relocations.get(unit.symbol.section) ?? []) {
    relocations.set(relocation.offset - unit.symbol.value, relocation)
  }
  for (let at = 0; at < code.length; at += INSTRUCTION_BYTES) {
    const relocation = relocations.get(at)
    if (code[at] === CALL && code[at + 1] >>> 4 === PSEUDO_CALL) {
      calls.push({ at: unit.start + at, target: claimUnit(object, units, ...callTarget(unit, view, at, relocation)) })
    } else if (code[at] === LOAD_WIDE) {
      if (relocation !== undefined) resolveLoad(object, view, at, relocation, unit, units, calls, descriptors)
      at += INSTRUCTION_BYTES
    }
  }
}

function callTarget(unit: Unit, view: DataView, at: number, relocation: ElfRelocation | undefined): [number, number] {
  const distance = (view.getInt32(at + 4, true) + 1) * INSTRUCTION_BYTES
  if (relocation === undefined) return [unit.symbol.section, unit.symbol.value + at + distance]
  const { symbol } = relocation
  return [symbol.section, symbol.value + (symbol.type === SYMBOL_SECTION ? distance : 0)]
}

function resolveLoad(
  object: BpfObject,
  view: DataView,
  at: number,
  relocation: ElfRelocation,
  unit: Unit,
  units: Unit[],
  calls: Call[],
  descriptors: ReadonlyMap<string, number>,
): void {
  const { symbol } = relocation
  const section = object.elf.sections[symbol.section]
  if (section === undefined) throw invalidObject(`it refers to ${symbol.name}, which it does not define`)
  const addend = view.getInt32(at + 4, true)
  if (section.name === '.maps') {
    setSource(view, at, PSEUDO_MAP)
    view.setInt32(at + 4, descriptorOf(descriptors, symbol.name), true)
  } else if ((section.flags & 4) !== 0) {
    setSource(view, at, PSEUDO_FUNCTION)
    calls.push({ at: unit.start + at, target: claimUnit(object, units, symbol.section, symbol.value + addend) })
  } else {
    setSource(view, at, PSEUDO_MAP_VALUE)
    view.setInt32(at + 4, descriptorOf(descriptors, section.name), true)
    view.setInt32(at + 12, symbol.value + addend, true)
  }
}

function setSource(view: DataView, at: number, source: number): void {
  view.setUint8(at + 1, (view.getUint8(at + 1) & 15) | (source << 4))
}

function descriptorOf(descriptors: ReadonlyMap<string, number>, name: string): number {
  const descriptor = descriptors.get(name)
  if (descriptor === undefined) throw invalidObject(`it refers to a map ${name} that it does not define`)
  return descriptor
}

function claimUnit(object: BpfObject, units: Unit[], section: number, value: number): Unit {
  const known = units.find((unit) => unit.symbol.section === section && unit.symbol.value === value)
  if (known !== undefined) return known
  const isTarget = (symbol: ElfSymbol) => symbol.type === SYMBOL_FUNCTION && symbol.section === section && symbol.value === value
  const symbol = object.elf.symbols.find(isTarget)
  if (symbol === undefined) throw invalidObject('it calls a function that it does not define')
  const unit = { symbol, start: 0 }
  units.push(unit)
  return unit
}

/** Records of .BTF.ext (table 0: functions, 1: lines) that belong to the units, with instruction numbers after linking. */
function collectRecords(object: BpfObject, units: readonly Unit[], table: 0 | 1): Uint8Array {
  const section = findSection(object.elf, '.BTF.ext')
  if (section === undefined || section.bytes.length < 24) return new Uint8Array(0)
  const view = viewOf(section.bytes)
  const header = view.getUint32(4, true)
  const start = header + view.getUint32(8 + table * 8, true)
  const end = start + view.getUint32(12 + table * 8, true)
  if (end > section.bytes.length || end < start + 4) return new Uint8Array(0)
  const recordBytes = view.getUint32(start, true)
  const bySection = indexRecords(object, view, start + 4, end, recordBytes)
  const kept = table === 0 ? FUNCTION_RECORD_BYTES : LINE_RECORD_BYTES
  const records: Uint8Array[] = []
  for (const unit of units) {
    const name = object.elf.sections[unit.symbol.section].name
    for (const at of bySection.get(name) ?? []) {
      const offset = view.getUint32(at, true) - unit.symbol.value
      if (offset < 0 || offset >= unit.symbol.size) continue
      const record = section.bytes.slice(at, at + kept)
      viewOf(record).setUint32(0, (unit.start + offset) / INSTRUCTION_BYTES, true)
      records.push(record)
    }
  }
  return Buffer.concat(records)
}

function indexRecords(object: BpfObject, view: DataView, start: number, end: number, recordBytes: number): Map<string, number[]> {
  const bySection = new Map<string, number[]>()
  let at = start
  while (at + 8 <= end) {
    const name = object.btf.text(view.getUint32(at, true))
    const count = view.getUint32(at + 4, true)
    at += 8
    const places = bySection.get(name) ?? []
    for (let index = 0; index < count && at + recordBytes <= end; index++, at += recordBytes) places.push(at)
    bySection.set(name, places)
  }
  return bySection
}
