import type { EngineBackend } from '../backend.ts'

/** The backend over io_uring; see ../backend.ts for what it promises. */
export const backend: EngineBackend = {
  probe: () => ({ available: false, detail: 'this build has no uring engine' }),
  create: () => {
    throw new Error('the uring engine is not available')
  },
}
