import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Cleanup } from './cleanup.ts'

/** An HTTP server that can be killed, frozen and started again: a process of its own. It answers with its name after `delayMs`. */
export class ServerProcess {
  readonly name: string
  readonly #delayMs: number
  #process: ChildProcess | undefined
  port = 0

  constructor(name: string, delayMs: number) {
    this.name = name
    this.#delayMs = delayMs
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** At the port that it had before. */
  async start(): Promise<void> {
    const argv = [fileURLToPath(import.meta.url), this.name, String(this.port), String(this.#delayMs)]
    this.#process = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } })
    const [line] = (await once(this.#process.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
    this.port = Number(line.toString())
  }

  /** SIGKILL: it is gone when this resolves. */
  async kill(): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }
}

export async function serverProcess(t: Cleanup, name: string, { delayMs = 0 } = {}): Promise<ServerProcess> {
  const server = new ServerProcess(name, delayMs)
  t.after(() => server.kill())
  await server.start()
  return server
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, port, delayMs] = process.argv.slice(2)
  const server = createServer((incoming, response) => {
    incoming.resume()
    incoming.on('end', () => setTimeout(() => response.end(name), Number(delayMs)))
  })
  server.keepAliveTimeout = 0
  server.listen(Number(port), '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
}
