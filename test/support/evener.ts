import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Cleanup, temporaryFolder } from './cleanup.ts'

const BINARY = fileURLToPath(new URL('../../bin/evener.js', import.meta.url))

export interface StartOptions {
  /** The engine of the configuration where that names none; EVENER_TEST_ENGINE else. */
  readonly engine?: 'uring' | 'portable' | 'auto'
  readonly env?: Readonly<Record<string, string>>
  /** Another bin/evener.js than the checkout's. */
  readonly binary?: string
}

/** The product as a process, started with `evener run`, asked through its admin endpoint. */
export class Evener {
  readonly process: ChildProcess
  readonly folder: string
  readonly configFile: string
  /** Base address of the admin endpoint. */
  admin = ''
  output = ''
  #wake: (() => void)[] = []

  constructor(process: ChildProcess, folder: string, configFile: string) {
    this.process = process
    this.folder = folder
    this.configFile = configFile
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString()
        this.#changed()
      })
    }
    process.on('exit', () => this.#changed())
  }

  /** Waits until everything printed so far matches; rejects when the process ends before. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output)
      if (match !== null) return match
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        throw new Error(
          `evener ended with ${this.process.exitCode ?? this.process.signalCode} before it printed ${pattern}:\n${this.output}`,
        )
      }
      await new Promise<void>((wake) => this.#wake.push(wake))
    }
  }

  async status(): Promise<EvenerStatus> {
    return (await this.call('GET', '/api/v1/status')).json as EvenerStatus
  }

  /** The port that a listener is bound to. */
  async port(listener: string): Promise<number> {
    const address = (await this.status()).listeners.find(({ name }) => name === listener)?.addresses[0]
    if (address === undefined) throw new Error(`no listener ${listener}`)
    return Number(address.slice(address.lastIndexOf(':') + 1))
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; json: unknown; text: string }> {
    const response = await fetch(this.admin + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
    const text = await response.text()
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      json = undefined
    }
    return { status: response.status, json, text }
  }

  /** Replaces the configuration file; a reload has to follow. */
  configure(config: object): void {
    writeFileSync(this.configFile, JSON.stringify(config, null, 2))
  }

  /** Resolves with the exit code, or the signal's name. */
  async ended(): Promise<number | string> {
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'exit')
    return this.process.exitCode ?? (this.process.signalCode as string)
  }

  #changed(): void {
    const wake = this.#wake
    this.#wake = []
    for (const one of wake) one()
  }
}

export interface EvenerStatus {
  readonly engine: { readonly kind: string; readonly reason: string }
  readonly workers: number
  readonly config: { readonly generation: number }
  readonly listeners: readonly {
    readonly name: string
    readonly addresses: readonly string[]
    readonly connections: number
    readonly requests: number
  }[]
  readonly pools: readonly {
    readonly name: string
    readonly servers: readonly {
      readonly name: string
      readonly health: string
      readonly admin: string
      readonly weight: number
      readonly active: number
      readonly connections: number
      readonly requests: number
      readonly failures: number
      readonly check: { readonly reason: string } | null
      readonly agent: { readonly reason: string } | null
    }[]
  }[]
}

/** Starts the product with a configuration and waits until it serves. Ended and removed afterwards. */
export async function evener(t: Cleanup, config: object, options: StartOptions = {}): Promise<Evener> {
  return serving(start(t, config, options))
}

/** Waits until it serves. */
export async function serving(started: Evener): Promise<Evener> {
  const [, admin] = await started.printed(/admin on (http:\/\/[^\s"]+)/)
  started.admin = admin
  return started
}

/** Starts the product without waiting for anything: for configurations that are to fail. */
export function start(t: Cleanup, config: object, options: StartOptions = {}): Evener {
  const configFile = join(temporaryFolder(t), 'evener.json')
  const engine = options.engine ?? process.env.EVENER_TEST_ENGINE ?? 'auto'
  writeFileSync(configFile, JSON.stringify({ admin: { bind: '127.0.0.1:0' }, engine, workers: 2, ...config }, null, 2))
  return startFile(t, configFile, options)
}

/** Starts the product with a configuration file as it is. */
export function startFile(t: Cleanup, configFile: string, options: StartOptions = {}): Evener {
  const child = spawn(process.execPath, [options.binary ?? BINARY, 'run', '-c', configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env, NODE_OPTIONS: '' },
  })
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return new Evener(child, dirname(configFile), configFile)
}

/** The usual configuration of a test: one listener in front of one pool. */
export function proxyTo(
  servers: readonly (string | object)[],
  more: { listener?: object; http?: object; route?: object; pool?: object; top?: object } = {},
): object {
  return {
    ...more.top,
    listeners: { web: { bind: '127.0.0.1:0', ...more.listener, http: { routes: [{ ...more.route, pool: 'app' }], ...more.http } } },
    pools: { app: { algorithm: 'round-robin', servers, ...more.pool } },
  }
}
