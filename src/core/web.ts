/** A request that control code makes of a web server. */
export interface WebRequest {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** For the whole of it. */
  readonly timeoutMs: number
  /** Of the body; a longer one is an error. */
  readonly maxBytes: number
}

export interface WebResponse {
  readonly status: number
  /** Names in lower case; of one that is repeated the values, with commas. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/**
 * Asks a web server. Redirects are not followed. Rejects with words when there is no whole answer within the limits. Rooms are given it, so that
 * they have no sockets.
 */
export type Ask = (request: WebRequest, signal: AbortSignal) => Promise<WebResponse>
