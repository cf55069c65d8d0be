import { createServer, type Server } from 'node:net'
import { EvenerError } from '../core/index.ts'
import { detachPins, RealServer, type RealServerOptions } from '../packet/index.ts'

/** What commands do to the machine that they run on, without a running Evener. */
export function openRealServer(options: RealServerOptions): RealServer {
  return RealServer.open(options)
}

/** Undoes what a run left that did not end in order. Returns what was undone, a line each. */
export function undoRealServer(statePath: string): string[] {
  return RealServer.undo(statePath)
}

/** Ends forwarding that a process left behind. Refuses while one is running. */
export async function detachPacketPlane(pins: string): Promise<string[]> {
  const owner = await claimPins(pins)
  try {
    return detachPins(pins)
  } finally {
    owner.close()
  }
}

/** Pinned tables have one owner: two would give the same places to different servers. The kernel frees the name with the process. */
export async function claimPins(pins: string): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const text = `a running Evener has the packet plane that is pinned in ${pins}; end it, or use other "packet.pins"`
      reject(new EvenerError('PACKET_BUSY', text, { cause }))
    })
    server.listen({ path: `\0evener-packet:${pins}` }, resolve)
  })
  server.unref()
  return server
}
