import { type Contenders, evener, haproxy, nginx, type Place } from '../harness/contender.ts'
import { haproxyConfig } from './haproxy.ts'
import { nginxConfig } from './nginx.ts'

/** HTTP/1.1 reverse proxies with routes, counters and forwarded fields on. */
export function contenders(): Contenders {
  return {
    evener: evener('auto', evenerHttp),
    'evener-portable': evener('portable', evenerHttp),
    nginx: nginx(['buffered', 'large buffers', 'unbuffered'], nginxConfig),
    haproxy: haproxy(['bufsize 16k', 'bufsize 64k', 'splice'], haproxyConfig),
  }
}

/** A listener with the routes that the peers have; over TLS with `tls`. */
export function evenerHttp({ port }: Pick<Place, 'port'>, tls?: object): object {
  const routes = [
    { match: { host: 'images.bench.test' }, pool: 'origin' },
    { match: { path: '/api/*' }, pool: 'origin' },
    { match: { path: '/static/*' }, pool: 'origin' },
    { pool: 'origin' },
  ]
  return { timeouts: { idle: '300s' }, listeners: { web: { bind: `127.0.0.1:${port}`, tls, http: { routes } } } }
}
