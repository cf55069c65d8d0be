/** A configuration is a value, so a program can make it: here one pool and one route for each team's service. */
import { type ConfigurationInput, defineConfig } from 'evener'

const services = [
  { name: 'orders', ports: [3001, 3002] },
  { name: 'search', ports: [3003] },
]

export default defineConfig({
  admin: { bind: '127.0.0.1:9900' },
  listeners: {
    web: {
      bind: '127.0.0.1:8080',
      http: {
        routes: [
          ...services.map(({ name }) => ({
            match: { path: `/${name}/*` },
            pool: name,
            rewrite: { prefix: `/${name}`, replacement: '' },
          })),
          { respond: { status: 404, body: `there are ${services.map(({ name }) => name).join(' and ')}\n` } },
        ],
      },
    },
  },
  pools: Object.fromEntries(services.map(({ name, ports }) => [name, poolOf(ports)])),
})

function poolOf(ports: readonly number[]): NonNullable<ConfigurationInput['pools']>[string] {
  return {
    algorithm: 'least-connections',
    servers: ports.map((port) => ({ name: `s${port}`, address: `127.0.0.1:${port}` })),
    check: { tcp: {} },
  }
}
