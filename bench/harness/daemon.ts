import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { isAnswering } from './verify.ts'

/** A process of the benchmark, pinned to one core. */
export interface Daemon {
  readonly pid: number
  readonly port: number
  stop(): Promise<void>
}

const running = new Set<ChildProcess>()
// SIGTERM and not SIGKILL: an nginx that is killed leaves its workers behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM')
})

/** Starts a program on one core and waits until it answers requests. */
export async function startDaemon(core: number, port: number, command: readonly string[], isSecure = false): Promise<Daemon> {
  const { child, output } = launch(core, command)
  while (!(await isAnswering(port, isSecure))) {
    if (child.exitCode !== null) throw new Error(`${command.join(' ')} ended with ${child.exitCode}:\n${output()}`)
    await delay(5)
  }
  return { pid: child.pid as number, port, stop: () => stop(child) }
}

/** Starts a program and returns the milliseconds until it answers, then ends it. */
export async function timeToAnswer(core: number, port: number, command: readonly string[]): Promise<number> {
  const start = performance.now()
  const { child, output } = launch(core, command)
  while (!(await isAnswering(port))) if (child.exitCode !== null) throw new Error(`${command.join(' ')} ended:\n${output()}`)
  const elapsed = performance.now() - start
  await stop(child)
  return elapsed
}

function launch(core: number, command: readonly string[]): { child: ChildProcess; output: () => string } {
  // taskset replaces itself with the program, so the pid is the program's.
  const child = spawn('taskset', ['-c', String(core), ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output = (output + chunk).slice(-10_000)))
  return { child, output: () => output }
}

async function stop(child: ChildProcess): Promise<void> {
  running.delete(child)
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 2000)
  await exited
  clearTimeout(late)
}

/** Below the ports that the kernel gives to clients (ip_local_port_range), of which the load tools use thousands. */
const FIRST_PORT = 20_000
const PORTS = 10_000

/** A port of the loopback on which nobody listens. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
  throw new Error(`no port from ${FIRST_PORT} to ${FIRST_PORT + PORTS} is free`)
}
