import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Certificate } from './certificate.ts'
import type { Cleanup } from './cleanup.ts'
import { program } from './needs.ts'
import { type Peer, startPeer } from './peers.ts'

/** The servers that checks are tried on: each with all that it writes in a folder of its own, on loopback only. */

/** exim: SMTP with STARTTLS on the first port, over TLS on the second. Root only: for others it forgets its privileges and its spool. */
export function exim(t: Cleanup, { certFile, keyFile }: Certificate): Promise<Peer> {
  return startPeer(t, 2, (ports, folder) => {
    const file = join(folder, 'exim.conf')
    mkdirSync(join(folder, 'spool'))
    writeFileSync(
      file,
      `exim_user = root
exim_group = root
primary_hostname = mail.test
spool_directory = ${folder}/spool
log_file_path = ${folder}/%slog
pid_file_path = ${folder}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${ports.join(' : ')}
tls_on_connect_ports = ${ports[1]}
tls_advertise_hosts = *
tls_certificate = ${certFile}
tls_privatekey = ${keyFile}
`,
    )
    return [program('exim4'), '-bdf', '-C', file]
  })
}

/** Dovecot: IMAP, IMAP over TLS, POP3, POP3 over TLS; any user may log in with the password "secret". Root only: it separates users. */
export function dovecot(t: Cleanup, { certFile, keyFile }: Certificate): Promise<Peer> {
  return startPeer(t, 4, ([imap, imaps, pop3, pop3s], folder) => {
    const file = join(folder, 'dovecot.conf')
    // Its processes run as users of their own, and have to get there.
    chmodSync(folder, 0o755)
    mkdirSync(join(folder, 'mail'))
    chmodSync(join(folder, 'mail'), 0o777)
    const listener = (name: string, port: number) => `inet_listener ${name} {\n port = ${port}\n }`
    writeFileSync(
      file,
      `base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = /dev/stderr
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <${certFile}
ssl_key = <${keyFile}
disable_plaintext_auth = no
auth_username_chars =
auth_failure_delay = 0
mail_location = maildir:${folder}/mail/%u
passdb {
 driver = static
 args = password=secret
}
userdb {
 driver = static
 args = uid=65534 gid=65534 home=${folder}/mail/%u
}
service imap-login {
 chroot =
 ${listener('imap', imap)}
 ${listener('imaps', imaps)}
}
service pop3-login {
 chroot =
 ${listener('pop3', pop3)}
 ${listener('pop3s', pop3s)}
}
service anvil {
 chroot =
 unix_listener anvil-auth-penalty {
  mode = 0
 }
}
service stats {
 chroot =
}
`,
    )
    return [program('dovecot'), '-F', '-c', file]
  })
}

/** Redis in memory. `more` is put behind the usual options. */
export function redis(t: Cleanup, ...more: string[]): Promise<Peer> {
  return startPeer(t, 1, ([port], folder) => {
    return [program('redis-server'), '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder, ...more]
  })
}

export function memcached(t: Cleanup): Promise<Peer> {
  return startPeer(t, 1, ([port]) => {
    return [
      program('memcached'),
      '-l',
      '127.0.0.1',
      '-p',
      String(port),
      '-U',
      '0',
      '-m',
      '4',
      '-t',
      '1',
      ...(isRoot ? ['-u', 'nobody'] : []),
    ]
  })
}

const isRoot = process.getuid?.() === 0

/** Knot, authoritative for example.test, where www is 192.0.2.7; UDP and TCP on one port. */
export function knot(t: Cleanup): Promise<Peer> {
  return startPeer(t, 1, ([port], folder) => {
    const zone = join(folder, 'example.test.zone')
    writeFileSync(
      zone,
      `example.test. 60 SOA ns.example.test. root.example.test. 1 60 60 60 60
example.test. 60 NS ns.example.test.
ns.example.test. 60 A 192.0.2.1
www.example.test. 60 A 192.0.2.6
www.example.test. 60 A 192.0.2.7
www.example.test. 60 AAAA 2001:db8::7
`,
    )
    writeFileSync(join(folder, 'who.test.zone'), 'who.test. 0 SOA ns.who.test. root.who.test. 1 60 60 60 60\nwho.test. 0 NS ns.who.test.\n')
    const file = join(folder, 'knot.conf')
    writeFileSync(
      file,
      `server:
    rundir: ${folder}
    listen: 127.0.0.1@${port}
    proxy-allowlist: 127.0.0.0/8
database:
    storage: ${folder}
zone:
  - domain: example.test
    file: ${zone}
  - domain: who.test
    file: ${zone.replace('example', 'who')}
    module: mod-whoami
`,
    )
    return [program('knotd'), '-c', file]
  })
}

/** dnsmasq, which knows www.test as 192.0.2.8 and asks nobody else. */
export function dnsmasq(t: Cleanup): Promise<Peer> {
  return startPeer(t, 1, ([port]) => {
    const where = ['--listen-address=127.0.0.1', '--bind-interfaces', `--port=${port}`]
    const what = ['--no-resolv', '--no-hosts', '--address=/www.test/192.0.2.8', '--conf-file=/dev/null', '--pid-file=']
    return [program('dnsmasq'), '--keep-in-foreground', ...where, ...what, ...(isRoot ? ['--user=root'] : [])]
  })
}
