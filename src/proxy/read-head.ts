import { parseRequestHead, REJECTIONS } from '../http/index.ts'
import type { DownstreamConnection } from './downstream.ts'
import type { HeadBuffer } from './head-buffer.ts'
import { TERMINATION } from './termination.ts'

/**
 * Reads a request's head out of memory[start, end), or goes on with one whose beginning is in `head`. Where it is complete its exchange
 * begins, where it is malformed it is refused. Returns the offset behind what was taken.
 */
export function readHead(downstream: DownstreamConnection, head: HeadBuffer, start: number, end: number): number {
  if (!head.isEmpty) return continueHead(downstream, head, start, end)
  const { worker, listener } = downstream
  const exchange = worker.takeExchange(downstream)
  const consumed = parseRequestHead(worker.engine.memory, start, end, exchange.request, listener.current.headLimits)
  if (consumed > 0) {
    downstream.begin(exchange, start)
    return consumed
  }
  worker.giveBackExchange(exchange)
  if (consumed < 0) return refuse(downstream, -consumed, end)
  downstream.armHead()
  return append(downstream, head, start, end)
}

/** The head came in several pieces: they are put together in a block of their own. The search for its end never starts over. */
function continueHead(downstream: DownstreamConnection, head: HeadBuffer, start: number, end: number): number {
  const { worker, listener } = downstream
  const limits = listener.current.headLimits
  const taken = append(downstream, head, start, end)
  if (head.isEmpty || !head.isWorthParsing(limits)) return taken
  const exchange = worker.takeExchange(downstream)
  const consumed = parseRequestHead(worker.engine.memory, head.start, head.end, exchange.request, limits)
  if (consumed > 0) {
    const surplus = head.end - consumed
    downstream.begin(exchange, head.start)
    head.release()
    return taken - surplus
  }
  worker.giveBackExchange(exchange)
  return consumed < 0 ? refuse(downstream, -consumed, end) : taken
}

function append(downstream: DownstreamConnection, head: HeadBuffer, start: number, end: number): number {
  const taken = head.append(start, end)
  if (taken !== -1) return taken
  downstream.refuse(TERMINATION.OVERLOAD, 503)
  return end
}

function refuse(downstream: DownstreamConnection, reject: number, end: number): number {
  const { status, sentence } = REJECTIONS[reject]
  downstream.refuse(TERMINATION.REQUEST_REFUSED, status, sentence)
  return end
}
