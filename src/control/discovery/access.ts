import { readFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { parse } from 'yaml'
import type { SocketAddress } from '../../core/index.ts'
import type { DiscoveryAccess, FileDiscoveryPlan, HttpDiscoveryPlan } from '../../pool/index.ts'
import { dnsTransport } from './dns-transport.ts'

const RESOLV_CONF = '/etc/resolv.conf'
const MAX_BYTES = 4 * 1024 * 1024

/** How the sources of discovery are reached from the control thread. */
export function discoveryAccess(): DiscoveryAccess {
  return { dns: dnsTransport, systemResolvers, readFile: listInFile, fetch: listAtEndpoint }
}

/** Read each time: the file changes when the machine moves to another network. resolv.conf(5). */
function systemResolvers(): SocketAddress[] {
  const text = readFileSync(RESOLV_CONF, 'utf8')
  const hosts = [...text.matchAll(/^nameserver[ \t]+(\S+)/gm)].map(([, host]) => host)
  return hosts.flatMap((host): SocketAddress[] => (isIP(host) === 0 ? [] : [{ family: isIP(host) === 4 ? 4 : 6, host, port: 53 }]))
}

async function listInFile({ path }: FileDiscoveryPlan): Promise<unknown> {
  const found = await stat(path).catch(tellCode)
  const { size } = found
  // Reading a pipe would wait for ever.
  if (!found.isFile()) throw new Error('it is not a file')
  if (size > MAX_BYTES) throw new Error(`it has ${size} bytes, and at most ${MAX_BYTES} are read`)
  const text = await readFile(path, 'utf8').catch(tellCode)
  try {
    // JSON is YAML too. Aliases are not expanded: a few bytes of them could become gigabytes.
    return parse(text, { maxAliasCount: 0, logLevel: 'error' })
  } catch (error) {
    throw new Error((error as Error).message.split('\n')[0])
  }
}

async function listAtEndpoint({ url, headers, timeoutMs }: HttpDiscoveryPlan): Promise<unknown> {
  const own = Object.fromEntries(headers.map(({ name, value }) => [name, value]))
  const response = await fetch(url, {
    headers: { accept: 'application/json', 'user-agent': 'evener-discovery', ...own },
    // Where the answer comes from is what the operator wrote, and nobody else decides.
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  }).catch((error: Error) => {
    throw new Error(error.name === 'TimeoutError' ? `no answer within ${timeoutMs} ms` : causeOf(error))
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`status ${response.status}`)
  }
  const text = await limitedText(response, timeoutMs)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`the answer is not JSON: ${(error as Error).message}`)
  }
}

async function limitedText(response: Response, timeoutMs: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of response.body ?? []) {
      length += chunk.length
      if (length > MAX_BYTES) break
      chunks.push(chunk)
    }
  } catch (error) {
    throw new Error((error as Error).name === 'TimeoutError' ? `no whole answer within ${timeoutMs} ms` : causeOf(error as Error))
  }
  if (length > MAX_BYTES) throw new Error(`the answer has more than ${MAX_BYTES} bytes`)
  return Buffer.concat(chunks).toString()
}

function causeOf(error: Error): string {
  const cause = error.cause as NodeJS.ErrnoException | undefined
  return cause?.message || cause?.code || error.message
}

function tellCode(error: NodeJS.ErrnoException): never {
  throw new Error(error.code === 'ENOENT' ? 'there is no such file' : error.message)
}
