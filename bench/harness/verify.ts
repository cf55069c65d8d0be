import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { request as requestSecure } from 'node:https'
import type { Load } from './load.ts'
import { PATHS } from './origin.ts'

const digests = new Map<string, string>()

/** One request through the proxy before any is measured: the status, the length, and the same bytes for everybody. */
export async function verify(port: number, { path, upload = 0, isSecure = false }: Load): Promise<void> {
  const { status, body } = await ask(port, path, upload, isSecure)
  if (status !== 200) throw new Error(`port ${port} answered ${path} with ${status}: ${body.toString('latin1').slice(0, 500)}`)
  if (body.length !== PATHS[path]) throw new Error(`port ${port} answered ${path} with ${body.length} bytes instead of ${PATHS[path]}`)
  const digest = createHash('sha256').update(body).digest('hex')
  if ((digests.get(path) ?? digest) !== digest) throw new Error(`port ${port} changed the content of ${path}`)
  digests.set(path, digest)
}

/** Whether a GET of the path is answered with 200, for waiting until a proxy is up. */
export async function isAnswering(port: number, isSecure = false): Promise<boolean> {
  try {
    return (await ask(port, '/small', 0, isSecure)).status === 200
  } catch {
    return false
  }
}

function ask(port: number, path: string, upload: number, isSecure: boolean): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const method = upload > 0 ? 'POST' : 'GET'
    const options = { port, host: '127.0.0.1', path, method, agent: false, headers: { connection: 'close' }, rejectUnauthorized: false }
    const send = isSecure ? requestSecure : request
    const sent = send(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }))
    })
    sent.on('error', reject)
    sent.end(upload > 0 ? Buffer.alloc(upload, 'x') : undefined)
  })
}
