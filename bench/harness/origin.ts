import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { program } from '../../test/support/needs.ts'
import { type Daemon, freePort, startDaemon } from './daemon.ts'

/** Paths that the origin answers, and the length of each body. */
export const PATHS = { '/small': 12, '/16k': 16 * 1024, '/1m': 1024 * 1024, '/upload': 3 } as const

export type OriginPath = keyof typeof PATHS

/** One nginx for all contenders: it never is what limits them, and it shares its core with the load. */
export async function startOrigin(core: number, folder: string): Promise<Daemon> {
  const files = join(folder, 'files')
  mkdirSync(files, { recursive: true })
  for (const path of ['/16k', '/1m'] as const) writeFileSync(join(files, path), randomBytes(PATHS[path]))
  const port = await freePort()
  const config = join(folder, 'origin.conf')
  writeFileSync(
    config,
    `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
error_log stderr error;
pid ${join(folder, 'origin.pid')};
events { worker_connections 16384; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=10;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path ${folder};
  client_body_buffer_size 128k;
  server {
    listen 127.0.0.1:${port} backlog=8192;
    location = /small { default_type text/plain; return 200 "hello world\\n"; }
    location = /upload { default_type text/plain; return 200 "ok\\n"; }
    location / { root ${files}; }
  }
}
`,
  )
  return startDaemon(core, port, [program('nginx'), '-p', folder, '-e', 'stderr', '-c', config])
}
