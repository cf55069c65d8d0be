import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Network } from './network.ts'
import { EVENER } from './web.ts'

/** `evener run` in a namespace, with its own log and its command line. */
export class Product {
  readonly log: string[] = []
  readonly #network: Network
  readonly #space: string
  readonly #file: string
  readonly #child: ChildProcess
  readonly #exit: Promise<number | null>
  #waiting: { text: string; resolve(): void }[] = []

  private constructor(network: Network, space: string, file: string, prefix: readonly string[]) {
    this.#network = network
    this.#space = space
    this.#file = file
    this.#child = network.start(space, ...prefix, process.execPath, EVENER, 'run', '-c', file)
    this.#exit = new Promise((resolve) => this.#child.once('exit', resolve))
  }

  /** Resolves once it serves, with the configuration as JSON; rejects with its log if it ends before. */
  static async start(network: Network, space: string, configuration: object): Promise<Product> {
    const product = Product.spawn(network, space, configuration)
    const ended = product.#exit.then(() => {
      throw new Error(`evener ended:\n${product.log.join('\n')}`)
    })
    await Promise.race([product.logged('admin on'), ended])
    return product
  }

  /** As start(), without waiting; `prefix` is a command that runs it. */
  static spawn(network: Network, space: string, configuration: object, ...prefix: string[]): Product {
    const file = join(network.folder, `${space}.yaml`)
    writeFileSync(file, JSON.stringify(configuration))
    const product = new Product(network, space, file, prefix)
    product.#read()
    return product
  }

  #read(): void {
    assert.ok(this.#child.stderr)
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      this.log.push(line)
      const met = this.#waiting.filter(({ text }) => line.includes(text))
      this.#waiting = this.#waiting.filter((each) => !met.includes(each))
      for (const { resolve } of met) resolve()
    })
  }

  /** Resolves with the first line of the log that has this text, also if it is there already; not if it is one of the first `without`. */
  logged(text: string, without = 0): Promise<void> {
    if (this.log.slice(without).some((line) => line.includes(text))) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ text, resolve }))
  }

  /** `evener …` against it. */
  command(...words: string[]): string {
    return this.#network.run(this.#space, process.execPath, EVENER, ...words)
  }

  status(): {
    servers: { service: string; server: string; active: number; inactive: number; flows: number }[]
    counters: Record<string, number>
  } {
    return JSON.parse(this.command('packet', 'status', '--json'))
  }

  flows(limit = 1000): { service: string; server: string; state: string; clientPort: number }[] {
    return JSON.parse(this.command('packet', 'flows', '--json', '--limit', String(limit))).flows
  }

  reload(configuration: object): string {
    writeFileSync(this.#file, JSON.stringify(configuration))
    return this.command('reload')
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    return this.#exit
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }

  get ended(): Promise<number | null> {
    return this.#exit
  }
}
