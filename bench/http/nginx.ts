import { join } from 'node:path'
import type { Place } from '../harness/contender.ts'

/**
 * nginx at its best: one worker, idle upstream connections kept, no access log, no temporary files. The forwarded fields and
 * routes are those that the other contenders have.
 */
export function nginxConfig({ folder, port, originPort, variant }: Place, tls?: { cert: string; key: string }): string {
  return `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
error_log stderr error;
pid ${join(folder, `nginx-${port}.pid`)};
events { worker_connections 16384; multi_accept on; }
http {
  access_log off;
  sendfile on;
  tcp_nodelay on;
  reset_timedout_connection on;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  client_body_temp_path ${folder};
  proxy_temp_path ${folder};
  client_body_buffer_size 128k;
  upstream origin {
    server 127.0.0.1:${originPort};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
  }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header Via "1.1 nginx";
  add_header Via "1.1 nginx";
  proxy_max_temp_file_size 0;
  ${BUFFERING[variant]}
  server {
    listen 127.0.0.1:${port} ${tls === undefined ? '' : 'ssl '}reuseport backlog=8192;
    ${tls === undefined ? '' : secured(tls)}
    location /api/ { proxy_pass http://origin; }
    location /static/ { proxy_pass http://origin; }
    location / { proxy_pass http://origin; }
    location = /nginx-status { stub_status; }
  }
  server {
    listen 127.0.0.1:${port}${tls === undefined ? '' : ' ssl'};
    ${tls === undefined ? '' : secured(tls)}
    server_name images.bench.test;
    location / { proxy_pass http://origin; }
  }
}
`
}

/** The ciphers and the key exchange that all contenders have, so that the programs are compared and not their defaults. */
function secured({ cert, key }: { cert: string; key: string }): string {
  return `ssl_certificate ${cert}; ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; ssl_ecdh_curve X25519;
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;`
}

const BUFFERING: Record<string, string> = {
  buffered: '',
  'large buffers': 'proxy_buffer_size 32k; proxy_buffers 16 64k; proxy_busy_buffers_size 512k;',
  unbuffered: 'proxy_buffering off; proxy_request_buffering off; proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;',
}
