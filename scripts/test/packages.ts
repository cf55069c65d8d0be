import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A Debian package that some tests need. `provides` is the program or file that shows that it is there. */
export interface TestPackage {
  readonly name: string
  readonly provides: string
  readonly why: string
}

/** The one list of what the tests use beyond npm. As root on Debian with CI=true the missing ones are installed. */
export const TEST_PACKAGES: readonly TestPackage[] = [
  { name: 'nginx-light', provides: 'nginx', why: 'peer: origin and oracle for HTTP, weights and failover' },
  { name: 'libnginx-mod-stream', provides: '/usr/lib/nginx/modules/ngx_stream_module.so', why: 'benchmarks: TCP beside packet listeners' },
  { name: 'haproxy', provides: 'haproxy', why: 'peer: oracle for HTTP, persistence and PROXY protocol' },
  { name: 'wrk', provides: 'wrk', why: 'load over HTTP/1.1' },
  { name: 'nghttp2-client', provides: 'h2load', why: 'load and client over HTTP/2' },
  { name: 'curl', provides: 'curl', why: 'a client that is not ours' },
  { name: 'gcc', provides: 'cc', why: 'the native addon' },
  { name: 'make', provides: 'make', why: 'the native addon' },
  { name: 'python3', provides: 'python3', why: 'node-gyp, which builds the native addon' },
  { name: 'openssl', provides: 'openssl', why: 'certificates of tests and a TLS client that is not ours' },
  { name: 'chromium', provides: 'chromium', why: 'a browser' },
  { name: 'testssl.sh', provides: 'testssl', why: 'looks for weaknesses of TLS' },
  { name: 'iproute2', provides: 'ip', why: 'network namespaces and interfaces' },
  { name: 'ethtool', provides: 'ethtool', why: 'checksums and GRO of the links between namespaces' },
  { name: 'bpftool', provides: 'bpftool', why: 'oracle for what the loader put into the kernel' },
  { name: 'ipvsadm', provides: 'ipvsadm', why: 'peer: the bytes that it sends to the kernel' },
  { name: 'iperf3', provides: 'iperf3', why: 'traffic through packet listeners, both ways' },
  { name: 'clang-14', provides: 'clang-14', why: 'the programs of bpf/ are compiled again and compared' },
  { name: 'llvm-14', provides: 'llvm-strip-14', why: 'the programs of bpf/ are compiled again and compared' },
  { name: 'strace', provides: 'strace', why: 'an idle worker makes no system call' },
  { name: 'bsdutils', provides: 'script', why: 'a terminal for `evener top`' },
  { name: 'procps', provides: 'ps', why: 'processes under test' },
  { name: 'util-linux', provides: 'taskset', why: 'benchmarks pinned to cores, and a network namespace for a test' },
  { name: 'exim4-daemon-light', provides: 'exim4', why: 'a server for smtp checks' },
  { name: 'dovecot-imapd', provides: 'dovecot', why: 'a server for imap checks' },
  { name: 'dovecot-pop3d', provides: '/usr/lib/dovecot/pop3', why: 'a server for pop3 checks' },
  { name: 'redis-server', provides: 'redis-server', why: 'a server for redis checks' },
  { name: 'memcached', provides: 'memcached', why: 'a server for memcached checks' },
  { name: 'mariadb-server', provides: 'mariadbd', why: 'a server for mysql checks' },
  { name: 'postgresql', provides: 'pg_ctlcluster', why: 'a server for postgresql checks' },
  { name: 'knot', provides: 'knotd', why: 'a DNS server for discovery and checks' },
  { name: 'bind9-dnsutils', provides: 'dig', why: 'a DNS client that is not ours' },
  { name: 'mariadb-client', provides: 'mariadb', why: 'a client of MariaDB through a tcp listener' },
  { name: 'postgresql-client', provides: 'psql', why: 'a client of PostgreSQL through a tcp listener' },
  { name: 'redis-tools', provides: 'redis-cli', why: 'a client of Redis through a tcp listener' },
  { name: 'pebble', provides: 'pebble', why: 'an authority for certificates by ACME' },
  { name: 'pebble', provides: 'pebble-challtestsrv', why: 'names and records for the authority' },
  { name: 'dnsmasq-base', provides: 'dnsmasq', why: 'a server for dns checks' },
]

/** Where a program is, searching the system folders too, which an ordinary user's PATH often lacks; undefined if it is nowhere. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

export function isPresent(wanted: TestPackage): boolean {
  return wanted.provides.startsWith('/') ? existsSync(wanted.provides) : findProgram(wanted.provides) !== undefined
}

export function canInstallPackages(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && findProgram('apt-get') !== undefined
}

/** Installs with apt, without starting any service. Returns what is still missing. */
export function installPackages(packages: readonly TestPackage[]): TestPackage[] {
  const apt = (...rest: string[]) =>
    spawnSync('apt-get', ['-qq', '-o', 'Acquire::Retries=3', ...rest], {
      stdio: ['ignore', 'ignore', 'inherit'],
      // RUNLEVEL=1 keeps Debian's maintainer scripts from starting the daemons that they bring.
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    }).status === 0
  if (!apt('install', '-y', '--no-install-recommends', ...packages.map((wanted) => wanted.name))) {
    apt('update')
    apt('install', '-y', '--no-install-recommends', ...packages.map((wanted) => wanted.name))
  }
  return packages.filter((wanted) => !isPresent(wanted))
}
