import { type AdminHandler, failure } from './admin/server.ts'
import type { Packets } from './packets.ts'

const FLOWS_DEFAULT = 1000
const FLOWS_MOST = 100_000

/** The routes of the admin API that tell of packet listeners, in front of the others. */
export function packetApi(packets: Packets, others: AdminHandler): AdminHandler {
  return (request) => {
    if (request.method !== 'GET' || !/^\/api\/v1\/packet(\/flows)?$/.test(request.path)) return others(request)
    const status = packets.status()
    if (status === null) return failure(404, 'no-packet-listener', 'The configuration has no packet listener.')
    if (request.path === '/api/v1/packet') return { status: 200, json: status }
    const limit = Number(request.query.get('limit') ?? FLOWS_DEFAULT)
    if (!Number.isInteger(limit) || limit < 1 || limit > FLOWS_MOST) {
      return failure(400, 'invalid-limit', `"limit" is a whole number from 1 to ${FLOWS_MOST}.`)
    }
    return { status: 200, json: { flows: packets.flows(limit) } }
  }
}
