/**
 * How an exchange ended, for the access log and the metrics: 0 is a response delivered in full. Each reason has the side
 * that caused it and the status that the client was sent where a response could still be sent.
 */
export const TERMINATION = {
  COMPLETE: 0,
  REQUEST_REFUSED: 1,
  REQUEST_HEAD_TIMEOUT: 2,
  REQUEST_BODY_TIMEOUT: 3,
  REQUEST_BODY_TOO_LARGE: 4,
  REQUEST_BODY_INVALID: 5,
  CLIENT_ABORTED: 6,
  CLIENT_STALLED: 7,
  NO_ROUTE: 8,
  NO_SERVER: 9,
  SERVERS_FULL: 10,
  CONNECT_FAILED: 11,
  CONNECT_TIMEOUT: 12,
  RESPONSE_TIMEOUT: 13,
  SERVER_CLOSED: 14,
  RESPONSE_INVALID: 15,
  RESPONSE_TRUNCATED: 16,
  OVERLOAD: 17,
  SHUTDOWN: 18,
  METHOD_REFUSED: 19,
  BREAKER_OPEN: 20,
  QUEUE_FULL: 21,
  QUEUE_TIMEOUT: 22,
  SERVER_DOWN: 23,
  HANDSHAKE_FAILED: 24,
} as const

export interface TerminationInfo {
  readonly name: string
  readonly side: 'none' | 'downstream' | 'upstream' | 'internal'
  readonly status: number
  readonly sentence: string
}

/** Indexed by TERMINATION. */
export const TERMINATIONS: readonly TerminationInfo[] = [
  { name: 'complete', side: 'none', status: 0, sentence: 'The response was delivered.' },
  { name: 'request-refused', side: 'downstream', status: 400, sentence: 'The request is not well-formed.' },
  { name: 'request-head-timeout', side: 'downstream', status: 408, sentence: 'The request head did not arrive in time.' },
  { name: 'request-body-timeout', side: 'downstream', status: 408, sentence: 'The request body did not arrive in time.' },
  { name: 'request-body-too-large', side: 'downstream', status: 413, sentence: 'The request body is larger than allowed.' },
  { name: 'request-body-invalid', side: 'downstream', status: 400, sentence: 'The request body is not framed correctly.' },
  { name: 'client-aborted', side: 'downstream', status: 499, sentence: 'The client closed the connection.' },
  { name: 'client-stalled', side: 'downstream', status: 499, sentence: 'The client stopped reading the response.' },
  { name: 'no-route', side: 'downstream', status: 404, sentence: 'No route matches the request.' },
  { name: 'no-server', side: 'upstream', status: 503, sentence: 'No server is available.' },
  { name: 'servers-full', side: 'upstream', status: 503, sentence: 'All servers are at their limit.' },
  { name: 'connect-failed', side: 'upstream', status: 502, sentence: 'The server could not be reached.' },
  { name: 'connect-timeout', side: 'upstream', status: 504, sentence: 'The server did not accept the connection in time.' },
  { name: 'response-timeout', side: 'upstream', status: 504, sentence: 'The server did not answer in time.' },
  { name: 'server-closed', side: 'upstream', status: 502, sentence: 'The server closed the connection without an answer.' },
  { name: 'response-invalid', side: 'upstream', status: 502, sentence: 'The server sent an invalid answer.' },
  { name: 'response-truncated', side: 'upstream', status: 502, sentence: 'The server closed the connection in the middle of its answer.' },
  { name: 'overload', side: 'internal', status: 503, sentence: 'The balancer has no memory left for the request.' },
  { name: 'shutdown', side: 'internal', status: 503, sentence: 'The balancer is shutting down.' },
  { name: 'method-refused', side: 'downstream', status: 405, sentence: 'The method is not allowed here.' },
  {
    name: 'breaker-open',
    side: 'upstream',
    status: 503,
    sentence: 'Too many requests to the servers failed: they are left alone for a while.',
  },
  { name: 'queue-full', side: 'upstream', status: 503, sentence: 'Too many requests wait already.' },
  {
    name: 'queue-timeout',
    side: 'upstream',
    status: 503,
    sentence: 'No server had time for the request within the time that it may wait.',
  },
  { name: 'server-down', side: 'upstream', status: 502, sentence: 'The server went down while it worked on the request.' },
  { name: 'handshake-failed', side: 'upstream', status: 502, sentence: 'The server could not be reached over TLS.' },
]
