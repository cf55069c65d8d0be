import { EvenerError } from '../core/index.ts'
import type { BackendProbe, EngineBackend, EngineHooks } from './backend.ts'
import type { Engine } from './engine.ts'
import { DEFAULT_ENGINE_OPTIONS, type EngineOptions } from './options.ts'

export type EngineKind = 'auto' | 'uring' | 'portable'

export interface CreatedEngine {
  readonly engine: Engine
  /** The sentence for start-up: which engine runs, and why this one. */
  readonly reason: string
}

/** Blocks of the portable arena: 256 MiB of address space, touched only as it is used. */
const PORTABLE_BLOCK_COUNT = 8192

const consoleHooks: EngineHooks = {
  report: (error) => console.error('uncaught in an engine callback:', error),
}

/**
 * Makes the engine of this thread. `auto` takes uring where the kernel and the addon allow it, else portable. Rejects with
 * ENGINE_UNAVAILABLE when `uring` is demanded and impossible. `loadRing` is for tests.
 */
export async function createEngine(
  kind: EngineKind = 'auto',
  options: Partial<EngineOptions> = {},
  hooks: EngineHooks = consoleHooks,
  loadRing: () => Promise<EngineBackend> = loadUring,
): Promise<CreatedEngine> {
  if (kind === 'portable') return createPortable(options, hooks, 'portable engine')
  const backend = await loadRing()
  const probe = backend.probe()
  if (!probe.available) return withoutRing(probe.detail)
  try {
    const engine = backend.create({ ...DEFAULT_ENGINE_OPTIONS, ...options }, hooks)
    return { engine, reason: `uring engine (${probe.detail})` }
  } catch (error) {
    // A limit that the probe does not reach: locked memory, descriptors.
    return withoutRing(error instanceof Error ? error.message : String(error), error)
  }

  function withoutRing(why: string, cause?: unknown): Promise<CreatedEngine> {
    if (kind === 'auto') return createPortable(options, hooks, `portable engine, because ${why}`)
    const message = `the uring engine cannot run here, because ${why}; set engine: auto or portable`
    throw new EvenerError('ENGINE_UNAVAILABLE', message, { cause })
  }
}

/** Whether the uring engine can run here, without starting one. */
export async function probeUring(): Promise<BackendProbe> {
  return (await loadUring()).probe()
}

async function createPortable(options: Partial<EngineOptions>, hooks: EngineHooks, reason: string): Promise<CreatedEngine> {
  const { backend } = await import('./portable/index.ts')
  return { engine: backend.create({ ...DEFAULT_ENGINE_OPTIONS, blockCount: PORTABLE_BLOCK_COUNT, ...options }, hooks), reason }
}

async function loadUring(): Promise<EngineBackend> {
  const module: { backend: EngineBackend } = await import('./uring/index.ts')
  return module.backend
}
