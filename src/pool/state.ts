/**
 * A server's two independent states, and what can become of a request to it. Numbers in the table, names everywhere else.
 * `starting`: usable but not trusted yet, because no check has answered or the slow start is under way.
 */
export const HEALTH = { DOWN: 0, STARTING: 1, UP: 2 } as const
export type Health = (typeof HEALTH)[keyof typeof HEALTH]
export const HEALTH_NAMES = ['down', 'starting', 'up'] as const
export type HealthName = (typeof HEALTH_NAMES)[number]

/** `drain` takes no new picks but finishes what it has and keeps persistent sessions; `maintenance` takes nothing at all. */
export const ADMIN = { READY: 0, DRAIN: 1, MAINTENANCE: 2 } as const
export type Admin = (typeof ADMIN)[keyof typeof ADMIN]
export const ADMIN_NAMES = ['ready', 'drain', 'maintenance'] as const
export type AdminName = (typeof ADMIN_NAMES)[number]

/** Of a pool's breaker. */
export const BREAKER = { CLOSED: 0, OPEN: 1, HALF_OPEN: 2 } as const
export const BREAKER_NAMES = ['closed', 'open', 'half-open'] as const
export type BreakerName = (typeof BREAKER_NAMES)[number]

/** How an attempt at a server ended. */
export const OUTCOME = {
  SUCCESS: 0,
  /** The client or a local limit ended it; says nothing about the server. */
  CANCELLED: 1,
  /** A response with status 500 or above, gateway errors apart. */
  SERVER_ERROR: 2,
  /** 502, 503 or 504. */
  GATEWAY_ERROR: 3,
  CONNECT_FAILURE: 4,
  CONNECT_TIMEOUT: 5,
  RESPONSE_TIMEOUT: 6,
  /** The connection ended before a whole response. */
  RESET: 7,
  /** The response could not be parsed. */
  BAD_RESPONSE: 8,
} as const
export type Outcome = (typeof OUTCOME)[keyof typeof OUTCOME]
