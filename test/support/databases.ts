import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, globSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Certificate } from './certificate.ts'
import type { Cleanup } from './cleanup.ts'
import { program } from './needs.ts'
import { type Peer, startPeer } from './peers.ts'

/**
 * Database servers with everything in a folder of their own, on loopback only. They refuse to run as root, so that root starts them as
 * the user that their package made.
 */

/** MariaDB with TLS. `statements` are run as it starts, `settings` are further options of the server. */
export function mariadb(
  t: Cleanup,
  certificate: Certificate,
  statements: readonly string[],
  settings: readonly string[] = [],
): Promise<Peer> {
  return startPeer(t, 1, ([port], folder) => {
    const runAs = owner('mysql', folder)
    const [certFile, keyFile] = lend(certificate, folder, runAs)
    const [data, init] = [join(folder, 'data'), join(folder, 'init.sql')]
    writeFileSync(init, `${statements.join(';\n')};\n`)
    execute(runAs, program('mariadb-install-db'), '--no-defaults', `--datadir=${data}`, '--skip-test-db', '--skip-name-resolve')
    return [
      ...runAs,
      program('mariadbd'),
      '--no-defaults',
      `--datadir=${data}`,
      `--socket=${join(folder, 'socket')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--init-file=${init}`,
      `--ssl-cert=${certFile}`,
      `--ssl-key=${keyFile}`,
      ...settings,
    ]
  })
}

/** Statements that make a MariaDB server follow another one, by GTID. */
export function followMariadb(port: number, more = ''): string[] {
  const source = `MASTER_HOST='127.0.0.1', MASTER_PORT=${port}, MASTER_USER='follower', MASTER_PASSWORD='secret', MASTER_CONNECT_RETRY=1`
  return ['STOP REPLICA', `CHANGE MASTER TO ${source}, MASTER_USE_GTID=slave_pos${more}`, 'START REPLICA']
}

/** A standby that streams from a PostgreSQL server, which lets the user "follower" replicate without a password. */
export async function postgresqlStandby(t: Cleanup, primaryPort: number): Promise<Peer> {
  const peer = await startPeer(t, 1, ([port], folder) => {
    const runAs = owner('postgres', folder)
    const data = join(folder, 'data')
    rmSync(data, { recursive: true, force: true })
    const source = ['-h', '127.0.0.1', '-p', String(primaryPort), '-U', 'follower']
    execute(runAs, postgresProgram('pg_basebackup'), ...source, '-D', data, '-R', '--checkpoint=fast', '--no-sync')
    return [...runAs, postgresProgram('postgres'), '-D', data, '-p', String(port), ...POSTGRES_SETTINGS]
  })
  await readyPostgresql(peer)
  return peer
}

/** Ends the recovery of a standby: it is a primary from then on. */
export function promotePostgresql({ folder }: Peer): void {
  execute(owner('postgres', folder), postgresProgram('pg_ctl'), 'promote', '-D', join(folder, 'data'))
}

/** It listens before it is ready. */
async function readyPostgresql(peer: Peer): Promise<void> {
  while (!/ready to accept (read-only )?connections/.test(peer.output())) await once(peer.process.stderr as Readable, 'data')
}

const POSTGRES_SETTINGS = ['fsync=off', 'unix_socket_directories=', 'listen_addresses=127.0.0.1'].flatMap((each) => ['-c', each])

/** PostgreSQL with TLS. `access` are lines of pg_hba.conf, `statements` are run before it starts. */
export async function postgresql(
  t: Cleanup,
  certificate: Certificate,
  access: readonly string[],
  statements: readonly string[],
): Promise<Peer> {
  const peer = await startPeer(t, 1, ([port], folder) => {
    const runAs = owner('postgres', folder)
    const [certFile, keyFile] = lend(certificate, folder, runAs)
    const data = join(folder, 'data')
    execute(runAs, postgresProgram('initdb'), '--no-sync', '--no-instructions', '-U', 'postgres', '-A', 'reject', '-D', data)
    writeFileSync(join(data, 'pg_hba.conf'), `${access.join('\n')}\n`)
    const [command, ...rest] = [...runAs, postgresProgram('postgres')]
    execFileSync(command, [...rest, '--single', '-D', data, 'postgres'], {
      input: statements.map((statement) => `${statement};\n`).join(''),
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const tls = ['ssl=on', `ssl_cert_file=${certFile}`, `ssl_key_file=${keyFile}`].flatMap((each) => ['-c', each])
    return [...runAs, postgresProgram('postgres'), '-D', data, '-p', String(port), ...POSTGRES_SETTINGS, ...tls]
  })
  await readyPostgresql(peer)
  return peer
}

/** What stands before a command so that it runs as that user, to whom the folder is given; nothing where this is no root. */
function owner(user: string, folder: string): string[] {
  if (process.getuid?.() !== 0) return []
  execFileSync('chown', [user, folder])
  return [program('setpriv'), `--reuid=${user}`, `--regid=${user}`, '--clear-groups']
}

/** A copy that belongs to the user: a key that others own is refused. */
function lend({ certFile, keyFile }: Certificate, folder: string, runAs: readonly string[]): [certFile: string, keyFile: string] {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  copyFileSync(certFile, cert)
  copyFileSync(keyFile, key)
  chmodSync(key, 0o600)
  const user = runAs[1]?.slice('--reuid='.length)
  if (user !== undefined) execFileSync('chown', [user, cert, key])
  return [cert, key]
}

function execute(runAs: readonly string[], ...command: readonly string[]): void {
  const [file, ...rest] = [...runAs, ...command]
  execFileSync(file, rest, { stdio: 'ignore' })
}

/** Debian keeps them by version, outside of PATH. */
function postgresProgram(name: string): string {
  const path = globSync(`/usr/lib/postgresql/*/bin/${name}`).sort().at(-1)
  if (path === undefined) throw new Error(`${name} is not installed`)
  return path
}
