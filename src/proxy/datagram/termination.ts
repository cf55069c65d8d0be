/** How a session of datagrams ended, for the access log and the metrics. */
export const SESSION_END = { EXPIRED: 0, ANSWERED: 1, SCHEDULED: 2, UNANSWERED: 3, REFUSED: 4, SERVER_DOWN: 5, RETIRED: 6 } as const

export interface SessionEndInfo {
  readonly name: string
  readonly side: 'none' | 'upstream' | 'internal'
  readonly sentence: string
}

/** Indexed by SESSION_END. */
export const SESSION_ENDS: readonly SessionEndInfo[] = [
  { name: 'expired', side: 'none', sentence: 'Neither side sent anything for so long.' },
  { name: 'answered', side: 'none', sentence: 'Every datagram has got the answers that were expected.' },
  { name: 'scheduled', side: 'none', sentence: 'The server got its number of datagrams, and no answer is expected.' },
  { name: 'unanswered', side: 'upstream', sentence: 'The server did not send the answers that were expected.' },
  { name: 'refused', side: 'upstream', sentence: 'The server has nobody at that port, or cannot be reached.' },
  { name: 'server-down', side: 'upstream', sentence: 'The server went down, and the next datagram chose another one.' },
  { name: 'retired', side: 'internal', sentence: 'The listener was taken away, or Evener shut down.' },
]

/** Why a datagram was dropped. */
export const DATAGRAM_DROP = {
  NO_SERVER: 0,
  SERVERS_FULL: 1,
  SESSION_LIMIT: 2,
  UNEXPECTED: 3,
  RETIRED: 4,
  HEADER_UNTRUSTED: 5,
  HEADER_MALFORMED: 6,
  OVERLOAD: 7,
} as const
export const DATAGRAM_DROPS = [
  'no-server',
  'servers-full',
  'session-limit',
  'unexpected',
  'retired',
  'proxy-header-untrusted',
  'proxy-header-malformed',
  'overload',
] as const
