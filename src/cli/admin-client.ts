import type { Diagnostic } from '../config/index.ts'

/** What can go wrong when a running Evener is asked: said in one sentence with the way out. */
export class AdminError extends Error {
  override name = 'AdminError'
  /** What is wrong with a configuration, where Evener has said so. */
  readonly diagnostics: readonly Diagnostic[]

  constructor(message: string, diagnostics: readonly Diagnostic[] = []) {
    super(message)
    this.diagnostics = diagnostics
  }
}

export interface AdminOptions {
  /** Base address, "http://127.0.0.1:9900". */
  readonly url: string
  readonly token?: string
}

/** The admin API of a running Evener. Every call throws AdminError with a message for the terminal. */
export class AdminClient {
  readonly #url: string
  readonly #headers: Record<string, string>

  constructor(options: AdminOptions) {
    this.#url = options.url.replace(/\/$/, '')
    this.#headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }
  }

  get<T>(path: string): Promise<T> {
    return this.#call('GET', path)
  }

  patch<T>(path: string, body: unknown): Promise<T> {
    return this.#call('PATCH', path, body)
  }

  post<T>(path: string, body: unknown = {}): Promise<T> {
    return this.#call('POST', path, body)
  }

  delete<T>(path: string): Promise<T> {
    return this.#call('DELETE', path)
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    let response: Response
    try {
      response = await fetch(this.#url + path, {
        method,
        headers: { ...this.#headers, accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(30_000),
      })
    } catch (error) {
      throw new AdminError(
        `no Evener answers at ${this.#url} (${reasonOf(error)}); is it running, and is this its admin address? See --admin.`,
      )
    }
    const text = await response.text()
    const parsed = parse(text)
    if (response.ok) return parsed as T
    const error = (parsed as { error?: { message?: string; diagnostics?: readonly Diagnostic[] } } | undefined)?.error
    const message = error?.message ?? (text.trim() || response.statusText)
    throw new AdminError(
      response.status === 401 ? `${message} Give the token with --token or EVENER_ADMIN_TOKEN.` : message,
      error?.diagnostics,
    )
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function reasonOf(error: unknown): string {
  const cause = (error as { cause?: { code?: string } }).cause
  return cause?.code ?? (error as Error).message
}
