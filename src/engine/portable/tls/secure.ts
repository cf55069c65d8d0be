import type { TLSSocket } from 'node:tls'
import type { Secure } from '../../tls/index.ts'

/** What node:tls says of a connection. The key exchange's group is told for client connections only. */
export class PortableSecure implements Secure {
  ja3 = ''
  ja4 = ''
  failure = ''
  isChallenge = false
  #socket: TLSSocket | null = null
  #protocol = ''
  #isResumed = false
  #subject: string | null = null

  /** The handshake is done. */
  begin(socket: TLSSocket): void {
    this.#socket = socket
    this.#protocol = socket.alpnProtocol || ''
    this.#isResumed = socket.isSessionReused()
  }

  get version(): string {
    return this.#socket?.getProtocol() ?? ''
  }

  get cipher(): string {
    return this.#socket?.getCipher()?.name ?? ''
  }

  get group(): string {
    const info = this.#socket?.getEphemeralKeyInfo()
    return info !== null && info !== undefined && 'name' in info ? (info.name ?? '') : ''
  }

  get serverName(): string {
    const name = this.#socket?.servername
    return typeof name === 'string' ? name : ''
  }

  get protocol(): string {
    return this.#protocol
  }

  get isResumed(): boolean {
    return this.#isResumed
  }

  get peerSubject(): string {
    if (this.#subject !== null) return this.#subject
    const subject = this.#socket?.getPeerX509Certificate()?.subject
    // node:crypto has one attribute on each line, in the certificate's order; RFC 2253 begins with the last.
    this.#subject = subject === undefined ? '' : subject.split('\n').reverse().map(escapeAttribute).join(',')
    return this.#subject
  }
}

/** RFC 2253 §2.4. */
function escapeAttribute(attribute: string): string {
  const at = attribute.indexOf('=')
  const value = attribute.slice(at + 1).replace(/[,+"\\<>;]/g, '\\$&')
  return `${attribute.slice(0, at)}=${value.replace(/[^ -~]/g, (character) => Buffer.from(character).toString('hex').replace(/../g, '\\$&'))}`
}
