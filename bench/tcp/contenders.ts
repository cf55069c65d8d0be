import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { program, programVersion } from '../../test/support/needs.ts'
import type { Contender, ContenderName } from '../http/contenders.ts'

const BINARY = join(import.meta.dirname, '../../bin/evener.js')
/** Debian brings it in libnginx-mod-stream. */
export const NGINX_STREAM = '/usr/lib/nginx/modules/ngx_stream_module.so'

/** Proxies of connections: one worker or thread, access log off. What they carry is HTTP, of which they know nothing. */
export function contenders(version: string): Record<ContenderName, Contender> {
  return {
    evener: evener('evener', version, 'auto'),
    'evener-portable': evener('evener-portable', version, 'portable'),
    nginx: {
      name: 'nginx',
      version: programVersion('nginx').replace(/^.*nginx\//, ''),
      variants: ['buffer 16k', 'buffer 64k'],
      command(folder, port, originPort, variant) {
        const file = join(folder, `nginx-${port}.conf`)
        const server = `
    listen 127.0.0.1:${port} reuseport backlog=8192;
    proxy_buffer_size ${variant === 'buffer 64k' ? '64k' : '16k'};
    tcp_nodelay on;
    proxy_pass 127.0.0.1:${originPort};`
        writeFileSync(file, nginxStream(folder, port, server))
        return [program('nginx'), '-p', folder, '-e', 'stderr', '-c', file]
      },
    },
    haproxy: {
      name: 'haproxy',
      version: programVersion('haproxy').replace(/^.*version (\S+).*$/, '$1'),
      variants: ['bufsize 16k', 'bufsize 64k', 'splice'],
      command(folder, port, originPort, variant) {
        const file = join(folder, `haproxy-${port}.cfg`)
        writeFileSync(file, haproxyTcp(port, originPort, variant))
        return [program('haproxy'), '-db', '-f', file]
      },
    },
  }
}

/** nginx with one server of its stream module. */
export function nginxStream(folder: string, port: number, server: string): string {
  return `
load_module ${NGINX_STREAM};
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
error_log stderr error;
pid ${join(folder, `nginx-${port}.pid`)};
events { worker_connections 16384; multi_accept on; }
stream {
  proxy_timeout 300s;
  server {${server}
  }
}
`
}

function haproxyTcp(port: number, originPort: number, variant: string): string {
  return `
global
  nbthread 1
  no strict-limits
  maxconn 16384
  tune.bufsize ${variant === 'bufsize 64k' ? 65536 : 16384}

defaults
  mode tcp
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  ${variant === 'splice' ? 'option splice-auto' : ''}

listen relay
  bind 127.0.0.1:${port} backlog 8192
  maxconn 16384
  server a 127.0.0.1:${originPort}
`
}

function evener(name: ContenderName, version: string, engine: string): Contender {
  return {
    name,
    version,
    variants: ['as it comes'],
    command(folder, port, originPort) {
      const file = join(folder, `evener-${port}.json`)
      const config = {
        workers: 1,
        engine,
        admin: { bind: '127.0.0.1:0' },
        listeners: { relay: { bind: `127.0.0.1:${port}`, tcp: { pool: 'origin', timeouts: { idle: '300s' } } } },
        pools: { origin: { algorithm: 'round-robin', servers: [{ name: 'a', address: `127.0.0.1:${originPort}` }] } },
      }
      writeFileSync(file, JSON.stringify(config, null, 2))
      return [process.execPath, BINARY, 'run', '-c', file]
    },
  }
}
