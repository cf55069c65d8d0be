import { once } from 'node:events'
import * as http from 'node:http'
import { duplexPair } from 'node:stream'

/** One message as Node's own parser (llhttp, strict) saw it. */
export interface OracleMessage {
  /** "GET /path" or "200 OK". */
  readonly start: string
  readonly fields: readonly string[]
  readonly body: string
  readonly trailers: readonly string[]
}

const SENTINEL = '/the-end'
const PATIENCE_MS = 10_000

/**
 * What node:http sees in a stream of requests; `error` is the code of a parse error, or ''. A request of our own follows
 * the input, so that bytes which the parser still waits for or counts to another request show.
 */
export async function requestsSeenByNode(input: Uint8Array): Promise<{ messages: OracleMessage[]; error: string }> {
  const messages: OracleMessage[] = []
  const [client, side] = duplexPair()
  const server = http.createServer({ maxHeaderSize: 65_536, requestTimeout: 0, headersTimeout: 0, connectionsCheckingInterval: 2 ** 30 })
  const error = await new Promise<string>((resolve) => {
    const patience = setTimeout(resolve, PATIENCE_MS, 'still waiting')
    const finish = (cause: string): void => {
      clearTimeout(patience)
      resolve(cause)
    }
    let reading = Promise.resolve()
    const read = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
      const body = await text(request)
      messages.push({ start: `${request.method} ${request.url}`, fields: request.rawHeaders, body, trailers: request.rawTrailers })
      response.end()
    }
    const take = (request: http.IncomingMessage, response: http.ServerResponse): void => {
      reading = reading
        .then(() => (request.url === SENTINEL ? finish('') : read(request, response)))
        .catch((cause) => finish(String(cause)))
    }
    server.on('request', take)
    server.on('checkContinue', take)
    server.on('clientError', (cause: NodeJS.ErrnoException) => finish(cause.code ?? cause.message))
    server.emit('connection', side)
    client.resume()
    client.write(input)
    client.write(`GET ${SENTINEL} HTTP/1.1\r\nHost: a\r\n\r\n`)
  })
  client.destroy()
  side.destroy()
  server.close()
  return { messages, error }
}

/** What node:http sees as the answer to a request with `method`; null where it refuses it. */
export async function responseSeenByNode(input: Uint8Array, method: string): Promise<OracleMessage | null> {
  const [client, side] = duplexPair()
  side.resume()
  const request = http.request({ method, createConnection: () => client, maxHeaderSize: 65_536, headers: { Host: 'a' } })
  // Interim responses and upgrades are events of their own; the caller leaves them out.
  request.end()
  side.end(input)
  try {
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    const body = await text(response)
    if (!response.complete) return null
    return { start: `${response.statusCode} ${response.statusMessage}`, fields: response.rawHeaders, body, trailers: response.rawTrailers }
  } catch {
    return null
  } finally {
    client.destroy()
    side.destroy()
  }
}

async function text(stream: http.IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('latin1')
}
