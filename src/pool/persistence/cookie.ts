import { ServerValues, type ValueFormat } from './server-value.ts'

/**
 * insert: our own cookie beside those of the server, hidden from the server. prefix: our value in front of the value of the server's cookie.
 * rewrite: the server sets the cookie, we put our value in its place. passive: the server's cookie names the server itself;
 * nothing is changed.
 */
export type CookieMode = 'insert' | 'prefix' | 'rewrite' | 'passive'

export interface CookiePersistence {
  readonly name: string
  readonly mode: CookieMode
  readonly format: ValueFormat
  /** The first writes, all read. */
  readonly secrets: readonly string[]
  readonly domain: string
  readonly path: string
  readonly secure: boolean
  readonly httpOnly: boolean
  readonly sameSite: 'strict' | 'lax' | 'none' | ''
  /** Seconds; 0 for the browser's session. */
  readonly maxAge: number
}

/** Between our value and the server's own. No base64url value has it, and it is allowed in a cookie (RFC 6265 §4.1.1). */
const SEPARATOR = '~'

/** What a request's cookie says. */
export interface ReadCookie {
  /** Index of the server, or -1. */
  readonly index: number
  /** The value that the server is to see in its place; null for the cookie to be left out, undefined for no change. */
  readonly forward: string | null | undefined
}

const NOTHING: ReadCookie = { index: -1, forward: undefined }

/** Reads and writes the cookie of a pool. Values as they stand between "=" and ";". */
export class PersistenceCookie {
  readonly name: string
  readonly nameBytes: Uint8Array
  readonly mode: CookieMode
  readonly #values: ServerValues
  readonly #attributes: string
  readonly #passive: ReadonlyMap<string, number>

  constructor(pool: string, servers: readonly string[], cookie: CookiePersistence) {
    this.name = cookie.name
    this.nameBytes = new Uint8Array(Buffer.from(cookie.name, 'latin1'))
    this.mode = cookie.mode
    this.#values = new ServerValues(pool, servers, cookie.format, cookie.secrets)
    this.#attributes = attributesOf(cookie)
    this.#passive = new Map(servers.map((server, index) => [server, index]))
  }

  /** The value of the cookie in a request, or undefined where it has none. */
  read(value: string | undefined): ReadCookie {
    if (value === undefined) return NOTHING
    switch (this.mode) {
      case 'insert':
        return { index: this.#values.read(value), forward: null }
      case 'rewrite':
        return { index: this.#values.read(value), forward: undefined }
      case 'passive':
        return { index: this.#passive.get(value) ?? -1, forward: undefined }
      case 'prefix': {
        const at = value.indexOf(SEPARATOR)
        const index = at === -1 ? -1 : this.#values.read(value.slice(0, at))
        return index === -1 ? NOTHING : { index, forward: value.slice(at + 1) }
      }
    }
  }

  /**
   * The Set-Cookie value to add to the response of the server at `index`; undefined for none. `read` is the server that the request's cookie
   * named: it is written again only when it has changed.
   */
  insertion(index: number, read: number): string | undefined {
    if (this.mode !== 'insert' || index === read) return undefined
    return `${this.name}=${this.#values.write(index)}${this.#attributes}`
  }

  /** What becomes of a Set-Cookie value that the server sent; undefined for no change, as for all other cookies. */
  rewrite(setCookie: string, index: number): string | undefined {
    if (this.mode !== 'prefix' && this.mode !== 'rewrite') return undefined
    const equals = setCookie.indexOf('=')
    if (equals === -1 || setCookie.slice(0, equals).trim() !== this.name) return undefined
    const semicolon = setCookie.indexOf(';', equals)
    const end = semicolon === -1 ? setCookie.length : semicolon
    const ours = this.#values.write(index)
    const value = this.mode === 'rewrite' ? ours : `${ours}${SEPARATOR}${setCookie.slice(equals + 1, end).trim()}`
    return `${this.name}=${value}${setCookie.slice(end)}`
  }
}

function attributesOf({ domain, path, secure, httpOnly, sameSite, maxAge }: CookiePersistence): string {
  const attributes = [
    path !== '' && `Path=${path}`,
    domain !== '' && `Domain=${domain}`,
    maxAge > 0 && `Max-Age=${maxAge}`,
    httpOnly && 'HttpOnly',
    // Browsers refuse SameSite=None without Secure.
    (secure || sameSite === 'none') && 'Secure',
    sameSite !== '' && `SameSite=${sameSite[0].toUpperCase()}${sameSite.slice(1)}`,
  ].filter((attribute) => attribute !== false)
  return attributes.map((attribute) => `; ${attribute}`).join('')
}
