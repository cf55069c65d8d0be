import { join } from 'node:path'
import { type Contenders, evener, haproxy, nginx, type Place } from '../harness/contender.ts'

/** Debian brings it in libnginx-mod-stream. */
export const NGINX_STREAM = '/usr/lib/nginx/modules/ngx_stream_module.so'

/** Proxies of connections. What they carry is HTTP, of which they know nothing. */
export function contenders(): Contenders {
  return {
    evener: evener('auto', evenerTcp),
    'evener-portable': evener('portable', evenerTcp),
    nginx: nginx(['buffer 16k', 'buffer 64k'], nginxTcp),
    haproxy: haproxy(['bufsize 16k', 'bufsize 64k', 'splice'], haproxyTcp),
  }
}

function evenerTcp({ port }: Place): object {
  return { listeners: { relay: { bind: `127.0.0.1:${port}`, tcp: { pool: 'origin', timeouts: { idle: '300s' } } } } }
}

function nginxTcp({ folder, port, originPort, variant }: Place): string {
  const server = `
    listen 127.0.0.1:${port} reuseport backlog=8192;
    proxy_buffer_size ${variant === 'buffer 64k' ? '64k' : '16k'};
    tcp_nodelay on;
    proxy_pass 127.0.0.1:${originPort};`
  return nginxStream(folder, port, server)
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

function haproxyTcp({ port, originPort, variant }: Place): string {
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
