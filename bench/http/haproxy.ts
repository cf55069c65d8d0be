import type { Place } from '../harness/contender.ts'

/** HAProxy at its best: one thread, idle server connections always used again, no log. Routes and forwarded fields as with the others. */
export function haproxyConfig({ port, originPort, variant }: Place, pem?: string): string {
  return `
global
  nbthread 1
  no strict-limits
  maxconn 16384
  tune.bufsize ${variant === 'bufsize 64k' ? 65536 : 16384}
  tune.pool-high-fd-ratio 90
  tune.pool-low-fd-ratio 80
  tune.idle-pool.shared off
  ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-bind-curves X25519

defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  timeout http-request 10s
  option http-keep-alive
  http-reuse always
  ${variant === 'splice' ? 'option splice-response\n  option splice-request' : ''}

frontend web
  bind 127.0.0.1:${port} backlog 8192${pem === undefined ? '' : ` ssl crt ${pem}`}
  maxconn 16384
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request add-header Via "1.1 haproxy"
  http-response add-header Via "1.1 haproxy"
  use_backend images if { req.hdr(host) -i images.bench.test }
  use_backend api if { path_beg /api/ }
  use_backend static if { path_beg /static/ }
  default_backend app

${['app', 'api', 'static', 'images']
  .map(
    (name) => `backend ${name}
  server a 127.0.0.1:${originPort} pool-max-conn -1 pool-purge-delay 300s
`,
  )
  .join('\n')}
`
}
