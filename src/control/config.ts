import type { SocketAddress } from '../core/index.ts'

/** `admin`: the endpoint with API, metrics and health. */
export interface AdminPlan {
  readonly bind: SocketAddress
  /** Bearer token that the API asks for; always there where `bind` is neither loopback nor a Unix socket. */
  readonly token: string | undefined
}
