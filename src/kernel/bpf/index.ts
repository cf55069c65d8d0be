/**
 * kernel/bpf: a loader for BPF objects. In come the bytes of a compiled object; out come maps, programs and links in the kernel,
 * and the layouts of the structs that both sides share. Descriptors belong to whoever holds the object and are given back by close().
 */
export { Btf } from './btf.ts'
export { ERRNO, type NativeBpf } from './calls.ts'
export { StructLayout } from './layout.ts'
export { LoadedObject, type LoadOptions, loadObject, openPinned, openPinnedMap, pin, possibleCpus, shapeOf } from './load.ts'
export { BpfMap, createMap, indexKey, MapCursor, type MapShape, readShape, UPDATE } from './map.ts'
export { BpfObject, type MapDefinition } from './object.ts'
export { ATTACH_TYPE, attachEgress, attachXdp, BpfLink, BpfProgram, type RunResult, type XdpMode } from './program.ts'
