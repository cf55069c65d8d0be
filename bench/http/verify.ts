import { createHash } from 'node:crypto'
import { request } from 'node:http'
import type { Load } from './load.ts'
import { PATHS } from './origin.ts'

const digests = new Map<string, string>()

/** One request through the proxy before any is measured: the status, the length, and the same bytes for everybody. */
export async function verify(port: number, { path, upload = 0 }: Load): Promise<void> {
  const { status, body } = await ask(port, path, upload)
  if (status !== 200) throw new Error(`port ${port} answered ${path} with ${status}: ${body.toString('latin1').slice(0, 500)}`)
  if (body.length !== PATHS[path]) throw new Error(`port ${port} answered ${path} with ${body.length} bytes instead of ${PATHS[path]}`)
  const digest = createHash('sha256').update(body).digest('hex')
  if ((digests.get(path) ?? digest) !== digest) throw new Error(`port ${port} changed the content of ${path}`)
  digests.set(path, digest)
}

/** Whether a GET of the path is answered with 200, for waiting until a proxy is up. */
export async function isAnswering(port: number): Promise<boolean> {
  try {
    return (await ask(port, '/small', 0)).status === 200
  } catch {
    return false
  }
}

function ask(port: number, path: string, upload: number): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path, method: upload > 0 ? 'POST' : 'GET', agent: false, headers: { connection: 'close' } }
    const sent = request(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }))
    })
    sent.on('error', reject)
    sent.end(upload > 0 ? Buffer.alloc(upload, 'x') : undefined)
  })
}
