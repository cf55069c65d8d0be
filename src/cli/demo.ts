import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { relative } from 'node:path'
import { Command } from 'commander'
import { planFromInput } from '../config/index.ts'
import { serve } from './serve.ts'

const NAMES = ['ant', 'bee', 'cat'] as const

/** Three small servers in this process and a balancer in front of them. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('three small HTTP servers with a balancer in front of them, to look at')
    .option('--listen <address>', 'address of the balancer', '127.0.0.1:8080')
    .option('--listen-tls <address>', 'address of the balancer for HTTPS, with a certificate made on the spot', '127.0.0.1:8443')
    .option('--admin <address>', 'address of the admin endpoint', '127.0.0.1:9900')
    .action(async (flags: { listen: string; listenTls: string; admin: string }) => {
      const servers = await Promise.all(NAMES.map(startServer))
      const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`)
      const input = {
        admin: { bind: flags.admin },
        accessLog: { path: 'stdout', format: '{method} {uri} -> {server} {status} {duration}ms' },
        listeners: {
          web: { bind: flags.listen, http: { routes: [{ pool: 'demo' }] } },
          secure: { bind: flags.listenTls, tls: { selfSigned: ['localhost', '127.0.0.1'] }, http: { routes: [{ pool: 'demo' }] } },
        },
        pools: {
          demo: {
            algorithm: 'round-robin',
            servers: NAMES.map((name, index) => ({ name, address: addresses[index] })),
            check: { http: { path: '/healthz' }, interval: '1s' },
          },
        },
      }
      try {
        await serve({ file: null, load: async () => planFromInput(input) }, () => {
          process.stdout.write(introduce(flags, addresses))
        })
      } finally {
        for (const server of servers) {
          server.close()
          server.closeAllConnections()
        }
      }
    })
}

function startServer(name: string): Promise<Server> {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/plain; charset=utf-8')
    if (request.url === '/healthz') response.end('ok\n')
    else response.end(`Hello from ${name}: ${request.method} ${request.url}, for ${request.headers['x-forwarded-for'] ?? 'nobody'}\n`)
  })
  // Longer than the balancer keeps idle connections, so that it never finds one just closed.
  server.keepAliveTimeout = 120_000
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}

function introduce(
  { listen, listenTls, admin }: { listen: string; listenTls: string; admin: string },
  addresses: readonly string[],
): string {
  const program = nameOfProgram()
  const watch = `${program} top`
  const drain = `${program} server drain demo/bee`
  return `
  balancer   http://${listen}/     https://${listenTls}/ (its certificate is made on the spot: curl -k)
  status     http://${admin}/api/v1/status     (metrics: /metrics)
  servers    ${NAMES.map((name, index) => `${name} ${addresses[index]}`).join('   ')}

  Try:  ${`curl http://${listen}/hello`.padEnd(drain.length)}     again and again, and watch the lines below
        ${watch.padEnd(drain.length)}     in another terminal
        ${drain}     and it gets no more requests
        ${'Ctrl-C'.padEnd(drain.length)}     ends it

`
}

/** How to start another command: installed it has a name, in a checkout it is a file. */
function nameOfProgram(): string {
  const started = process.argv[1] ?? ''
  return started.endsWith('.js') ? `node ${relative(process.cwd(), started)}` : 'evener'
}
