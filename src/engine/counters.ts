/** What an engine had to do without, since it was made. For metrics: nothing here is told to a handler. */
export class EngineCounters {
  /** Connections that were turned away, or could not be accepted, for want of a slot, a descriptor or memory. */
  acceptFailures = 0
  /** Times that a connection had to wait for a block before it could receive. */
  receiveStarvations = 0
  /** Times that the kernel kept completions back, because their queue was full (uring only). */
  completionOverflows = 0
  /** Completions for a slot that belonged to another connection by then (uring only); none is expected. */
  staleCompletions = 0
  /** Datagrams that the kernel had no room to send, or that were too long to receive. */
  datagramsDropped = 0
}
