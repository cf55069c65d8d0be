import type { ClientHello } from './client-hello.ts'
import type { CertificateOptions } from './options.ts'

/** RFC 8737 §4: what an authority offers that looks whether a name is ours, and nothing else. */
export const CHALLENGE_PROTOCOL = 'acme-tls/1'

/** Certificates that answer tls-alpn-01, by the name that is asked for. */
export type TlsChallenges = ReadonlyMap<string, CertificateOptions>

export const NO_CHALLENGES: TlsChallenges = new Map()

/** Whether a client is such an authority. */
export function asksForChallenge({ protocols }: ClientHello): boolean {
  return protocols.length === 1 && protocols[0] === CHALLENGE_PROTOCOL
}
