import type { Secure } from '../engine/index.ts'
import type { ListenerPlan } from './config.ts'
import { literal } from './literal.ts'

/** A subject may be long; what does not fit into a head is of no use to a server. */
const MAX_SUBJECT_BYTES = 1024

/** Writes the field with the subject of a client's certificate. */
export class ClientSubject {
  readonly #name: string

  constructor(name: string) {
    this.#name = name
  }

  /** The field line; empty where the client showed no certificate. The subject is escaped by RFC 2253 and has no line breaks. */
  line({ peerSubject }: Secure): Uint8Array {
    if (peerSubject === '' || /[^ -~]/.test(peerSubject)) return literal('')
    return literal(`${this.#name}: ${peerSubject.slice(0, MAX_SUBJECT_BYTES)}\r\n`)
  }
}

/** Names of all fields that listeners tell servers subjects in, lower case. No client may send them, on whichever listener. */
export function subjectFields(listeners: readonly ListenerPlan[]): string[] {
  return [...new Set(listeners.flatMap(({ tls }) => tls?.clientCertificates?.header.toLowerCase() ?? []))]
}
