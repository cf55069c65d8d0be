import { EventEmitter, once } from 'node:events'
import { Agent, request } from 'node:http'
import type { Cleanup } from './cleanup.ts'

/** What became of the requests of a load so far. */
export interface LoadCounts {
  /** Whole answers of 200, by their body. */
  readonly answers: Map<string, number>
  /** Everything else: "503 …", "socket hang up". */
  readonly failures: string[]
}

/**
 * Clients that ask one request after the other, each on a connection that it keeps, until the load is stopped. Two methods: GET may be
 * sent twice by a proxy, POST may not.
 */
export class Load {
  readonly counts: LoadCounts = { answers: new Map(), failures: [] }
  readonly #port: number
  readonly #method: 'GET' | 'POST'
  readonly #changed = new EventEmitter()
  readonly #clients: Promise<void>[]
  #isStopped = false

  constructor(port: number, clients: number, method: 'GET' | 'POST') {
    this.#port = port
    this.#method = method
    this.#clients = Array.from({ length: clients }, () => this.#client())
  }

  get total(): number {
    return this.answered + this.counts.failures.length
  }

  get answered(): number {
    return [...this.counts.answers.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Waits for so many more requests to end, with whatever success. */
  async more(count: number): Promise<void> {
    const goal = this.total + count
    while (this.total < goal) await once(this.#changed, 'change')
  }

  /** Waits until this server has given another answer. */
  async heard(server: string): Promise<void> {
    const before = this.counts.answers.get(server) ?? 0
    while ((this.counts.answers.get(server) ?? 0) === before) await once(this.#changed, 'change')
  }

  /** Lets the requests that are under way end. */
  async stop(): Promise<LoadCounts> {
    this.#isStopped = true
    await Promise.all(this.#clients)
    return this.counts
  }

  async #client(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    while (!this.#isStopped) {
      const outcome = await ask(agent, this.#port, this.#method)
      const { answers, failures } = this.counts
      if (outcome.isWhole) answers.set(outcome.text, (answers.get(outcome.text) ?? 0) + 1)
      else failures.push(outcome.text)
      this.#changed.emit('change')
    }
    agent.destroy()
  }
}

/** Stopped afterwards. */
export function load(t: Cleanup, port: number, { clients = 4, method = 'GET' as 'GET' | 'POST' } = {}): Load {
  const made = new Load(port, clients, method)
  t.after(async () => void (await made.stop()))
  return made
}

function ask(agent: Agent, port: number, method: 'GET' | 'POST'): Promise<{ readonly isWhole: boolean; readonly text: string }> {
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve({ isWhole: false, text: error.message })
    const outgoing = request({ agent, port, host: '127.0.0.1', method, path: '/' }, (incoming) => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => (text += chunk))
      incoming.on('error', failed)
      incoming.on('end', () => {
        const isWhole = incoming.statusCode === 200 && incoming.complete
        resolve({ isWhole, text: isWhole ? text : `${incoming.statusCode} ${text.split('\n')[0]}` })
      })
    })
    outgoing.on('error', failed)
    outgoing.end()
  })
}
