import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Cleanup, temporaryFolder } from './cleanup.ts'
import { program } from './needs.ts'
import { refusedPort } from './origin.ts'

export interface Peer {
  readonly process: ChildProcess
  /** The ports that were asked for, in that order; every one accepts connections. */
  readonly ports: readonly number[]
  readonly folder: string
  /** What it has printed so far. */
  readonly output: () => string
  /** Ends it and waits for that; also done afterwards. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

export interface PeerOptions {
  /** How many TCP ports the configuration uses. */
  readonly portCount?: number
  /** Written to a file in the peer's folder. */
  readonly config: (ports: readonly number[], folder: string) => string
}

/** nginx in the foreground, one worker. `config` is what stands inside `http { }`. */
export function nginx(t: Cleanup, { portCount = 1, config }: PeerOptions): Promise<Peer> {
  return startPeer(t, portCount, (ports, folder) => {
    const file = join(folder, 'nginx.conf')
    writeFileSync(file, nginxFrame(folder, config(ports, folder)))
    return [program('nginx'), '-p', folder, '-e', 'stderr', '-c', file]
  })
}

/** HAProxy in the foreground. `config` is the whole file. */
export function haproxy(t: Cleanup, { portCount = 1, config }: PeerOptions): Promise<Peer> {
  return startPeer(t, portCount, (ports, folder) => {
    const file = join(folder, 'haproxy.cfg')
    writeFileSync(file, config(ports, folder))
    return [program('haproxy'), '-db', '-f', file]
  })
}

/**
 * Any daemon that listens on ports which are told to it. A port can be taken by another process between the choice and
 * the bind; then the peer is started again with other ports.
 */
export async function startPeer(
  t: Cleanup,
  portCount: number,
  commandLine: (ports: readonly number[], folder: string) => readonly string[],
): Promise<Peer> {
  const folder = temporaryFolder(t)
  for (let attempt = 1; ; attempt++) {
    const ports = await Promise.all(Array.from({ length: portCount }, refusedPort))
    const peer = launch(t, ports, folder, commandLine(ports, folder))
    try {
      await Promise.all(ports.map((port) => accepting(port, peer)))
      return peer
    } catch (error) {
      await peer.stop('SIGKILL')
      if (attempt === 3 || !/in use|cannot bind/i.test(peer.output())) throw error
    }
  }
}

/** The same daemon once more, on its ports and with what it left in its folder. */
export async function startAgain(t: Cleanup, { process: child, ports, folder }: Peer): Promise<Peer> {
  const peer = launch(t, ports, folder, child.spawnargs)
  await Promise.all(ports.map((port) => accepting(port, peer)))
  return peer
}

function launch(t: Cleanup, ports: readonly number[], folder: string, [command, ...rest]: readonly string[]): Peer {
  const child = spawn(command, rest, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
  const exited = once(child, 'exit')
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await exited
  }
  t.after(() => stop('SIGTERM'))
  return { process: child, ports, folder, output: () => output, stop }
}

/** Resolves once a connection to the port succeeds; rejects when the process ends instead. */
async function accepting(port: number, { process: child, output }: Peer): Promise<void> {
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`${child.spawnfile} ended with ${child.exitCode}: ${output()}`)
    if (await isAccepting(port)) return
    // There is nothing to wait on but the port itself; a test never waits longer than the peer takes to bind.
    await delay(5)
  }
}

function isAccepting(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

function nginxFrame(folder: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(folder, name)};`)
  return `
daemon off;
worker_processes 1;
${process.getuid?.() === 0 ? 'user root;' : ''}
error_log stderr warn;
pid ${join(folder, 'nginx.pid')};
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary.join('\n  ')}
  ${http}
}
`
}
