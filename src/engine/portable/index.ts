/**
 * portable: the engine over node:net, for systems without io_uring.
 *
 * In: what Node read, in buffers of Node's. Out: the same bytes in blocks of the arena, which is plain memory here. What rooms send
 * is gathered per connection and handed to Node when the event that caused it is over. Node's sockets own the descriptors,
 * libuv's loop is the loop; nothing here is private API.
 *
 *   net.Socket ──copy──▶ BumpBlock ──received()──▶ room ──send(), commit()──▶ SendQueue ──write()──▶ net.Socket
 */
import type { EngineBackend } from '../backend.ts'
import { PortableEngine } from './engine.ts'

export const backend: EngineBackend = {
  probe: () => ({ available: true, detail: `node:net of Node ${process.versions.node}` }),
  create: (options, hooks) => new PortableEngine(options, hooks),
}
