import { z } from 'zod'
import { type Cidr, EvenerError, parseAddress, parseCidr, type SocketAddress } from '../core/index.ts'
import { type Context, complain } from './complain.ts'

/** Where to listen: "0.0.0.0:80", "[::]:80", ":80", "unix:/run/web.sock". Port 0 lets the kernel choose. */
export const address = addressText('listen')

/** Where a server listens: as `address`, with a port that is not 0 and an address that is not "any". */
export const serverAddress = addressText('connect')

/** "10.0.0.0/8", "fd00::/8" or a single address. */
export const cidr = z
  .string()
  .transform((text, context): Cidr => attempt(context, () => parseCidr(text)))
  .meta({ title: 'address range', examples: ['10.0.0.0/8', 'fd00::/8', '192.0.2.7'] })

function addressText(purpose: 'listen' | 'connect') {
  const examples =
    purpose === 'listen' ? ['0.0.0.0:80', '[::]:80', 'unix:/run/web.sock'] : ['10.0.0.11:8080', '[::1]:8080', 'unix:/run/app.sock']
  return z
    .string()
    .transform((text, context): SocketAddress => {
      const parsed = attempt(
        context,
        () => parseAddress(text),
        (why) => wayOut(text, why, purpose),
      )
      if (purpose === 'connect' && parsed !== undefined) checkDestination(text, parsed, context)
      return parsed
    })
    .meta({ title: 'address', examples })
}

function checkDestination(text: string, parsed: SocketAddress, context: Context): void {
  if (parsed.family === 'unix') return
  if (parsed.port === 0)
    complain(context, { code: 'CONFIG_INVALID_ADDRESS', message: `"${text}" has port 0, where nothing can be reached` })
  if (parsed.host !== '0.0.0.0' && parsed.host !== '::') return
  const here = parsed.family === 4 ? `127.0.0.1:${parsed.port}` : `[::1]:${parsed.port}`
  const message = `"${text}" names no host`
  complain(context, { code: 'CONFIG_INVALID_ADDRESS', message, hint: `for this machine: "${here}"` })
}

function wayOut(text: string, why: string, purpose: 'listen' | 'connect'): string | undefined {
  if (why.endsWith('the port is missing')) return `for example "${text}:8080"`
  const bare = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]+)/i.exec(text)?.[1]
  if (bare !== undefined) return `an address has no scheme and no path: "${bare}"`
  if (why.includes('"localhost"')) return 'write "127.0.0.1" or "[::1]"; names are not resolved'
  const [, name, port] = /^([A-Za-z0-9][A-Za-z0-9.-]*):(\d+)$/.exec(text) ?? []
  if (purpose === 'connect' && name !== undefined && /[A-Za-z]/.test(name))
    return `a name is resolved by the pool's "discover: { dns: { name: ${name}, port: ${port} } }"`
  return undefined
}

function attempt<T>(context: Context, parse: () => T, hintFor: (why: string) => string | undefined = () => undefined): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof EvenerError)) throw error
    return complain(context, { code: 'CONFIG_INVALID_ADDRESS', message: error.message, hint: hintFor(error.message) })
  }
}
