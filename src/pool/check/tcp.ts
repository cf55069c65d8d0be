import { type CheckProtocol, CLOSED_EARLY, pass, type Verdict } from './protocol.ts'

/** Passes as soon as the connection stands (for TLS: the handshake). */
export class TcpCheck implements CheckProtocol {
  opened(): Verdict {
    return pass('connected')
  }

  received(): null {
    return null
  }

  ended(): Verdict {
    return CLOSED_EARLY
  }
}
