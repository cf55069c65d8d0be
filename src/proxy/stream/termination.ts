/**
 * How a stream ended, for the access log and the metrics: 0 is an end that both sides agreed to. Each reason has the side that
 * caused it.
 */
export const STREAM_END = {
  COMPLETE: 0,
  CLIENT_RESET: 1,
  SERVER_RESET: 2,
  IDLE_TIMEOUT: 3,
  HALF_CLOSED_TIMEOUT: 4,
  PREFACE_TIMEOUT: 5,
  PREFACE_INVALID: 6,
  NO_ROUTE: 7,
  NO_SERVER: 8,
  SERVERS_FULL: 9,
  CONNECT_FAILED: 10,
  CONNECT_TIMEOUT: 11,
  SERVER_DOWN: 12,
  CLIENT_ABORTED: 13,
  OVERLOAD: 14,
  SHUTDOWN: 15,
} as const

export interface StreamEndInfo {
  readonly name: string
  readonly side: 'none' | 'downstream' | 'upstream' | 'internal'
  readonly sentence: string
}

/** Indexed by STREAM_END. */
export const STREAM_ENDS: readonly StreamEndInfo[] = [
  { name: 'complete', side: 'none', sentence: 'Both sides have ended.' },
  { name: 'client-reset', side: 'downstream', sentence: 'The client reset the connection.' },
  { name: 'server-reset', side: 'upstream', sentence: 'The server reset the connection.' },
  { name: 'idle-timeout', side: 'none', sentence: 'Neither side sent anything for too long.' },
  { name: 'half-closed-timeout', side: 'none', sentence: 'One side had ended, and the other sent nothing for too long.' },
  { name: 'preface-timeout', side: 'downstream', sentence: 'The client did not send in time what a server is chosen by.' },
  { name: 'preface-invalid', side: 'downstream', sentence: 'What the client sent first cannot be read.' },
  { name: 'no-route', side: 'downstream', sentence: 'No route matches the connection.' },
  { name: 'no-server', side: 'upstream', sentence: 'No server is available.' },
  { name: 'servers-full', side: 'upstream', sentence: 'All servers are at their limit, and no place came free in time.' },
  { name: 'connect-failed', side: 'upstream', sentence: 'No server could be reached.' },
  { name: 'connect-timeout', side: 'upstream', sentence: 'The server did not accept the connection in time.' },
  { name: 'server-down', side: 'upstream', sentence: 'The server went down, and the listener resets its connections.' },
  { name: 'client-aborted', side: 'downstream', sentence: 'The client went away before a server was connected.' },
  { name: 'overload', side: 'internal', sentence: 'The balancer has no memory left for the connection.' },
  { name: 'shutdown', side: 'internal', sentence: 'The grace period of a shutdown was over.' },
]
