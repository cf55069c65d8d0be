import type { Engine } from './engine.ts'
import type { EngineOptions } from './options.ts'

/** What an engine tells the one who made it. */
export interface EngineHooks {
  /** Takes what a handler, a timer's target or a deferred callback threw. Must not throw itself. */
  report(error: unknown): void
}

/** Whether a backend can run here. `detail` completes "uring engine (…)" or "…, because …", without a full stop. */
export type BackendProbe = { readonly available: true; readonly detail: string } | { readonly available: false; readonly detail: string }

/**
 * What the index.ts of each backend exports as `backend`. It is imported only when the backend is asked for; the import itself
 * must succeed everywhere, with no addon compiled and on any system: what is missing is for probe() to say.
 */
export interface EngineBackend {
  probe(): BackendProbe
  create(options: EngineOptions, hooks: EngineHooks): Engine
}
