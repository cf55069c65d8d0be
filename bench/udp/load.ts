/**
 * node bench/udp/load.ts PORT SECONDS CLIENTS BYTES [BURST]: clients that send a datagram, or a burst of them, wait for the echoes, and send the next. Prints
 * what came back as JSON. Every echo is compared with what was sent; what is lost is counted, and sent again after 200 ms.
 */
import { createEngine, type DatagramHandler, type DatagramSocket, type Engine, Timer, type TimerTarget } from '../../src/engine/index.ts'
import { percentile } from '../harness/statistics.ts'

const [port, seconds, clients, bytes, burst = 1] = process.argv.slice(2).map(Number)
const RESEND_MS = 200

class Client implements DatagramHandler, TimerTarget {
  static latencies: number[] = []
  static lost = 0
  static wrong = 0
  readonly #engine: Engine
  readonly #socket: DatagramSocket
  readonly #block: number
  readonly #timer = new Timer(this)
  #number = 0
  /** Echoes that are still to come. */
  #outstanding = 0
  #sentMs = 0

  constructor(engine: Engine, id: number) {
    this.#engine = engine
    this.#socket = engine.connectDatagrams({ family: 4, host: '127.0.0.1', port }, this) as DatagramSocket
    this.#block = engine.blocks.take()
    engine.memory.fill(id, this.#block, this.#block + bytes)
    this.#send()
  }

  received(_socket: DatagramSocket, start: number, end: number): void {
    const { memory } = this.#engine
    // An echo of what was sent again.
    if (end - start === bytes && memory[start] !== (this.#number & 255)) return
    if (end - start !== bytes || memory[end - 1] !== memory[this.#block + bytes - 1]) Client.wrong++
    Client.latencies.push(performance.now() - this.#sentMs)
    if (--this.#outstanding > 0) return
    this.#number++
    this.#send()
  }

  failed(): void {
    Client.wrong++
  }

  expired(): void {
    Client.lost += this.#outstanding
    this.#number++
    this.#send()
  }

  #send(): void {
    this.#sentMs = performance.now()
    this.#engine.memory[this.#block] = this.#number & 255
    this.#outstanding = burst
    for (let i = 0; i < burst; i++) this.#socket.send(this.#block, this.#block + bytes)
    this.#engine.timers.arm(this.#timer, RESEND_MS)
  }
}

const { engine } = await createEngine()
engine.start()
for (let id = 0; id < clients; id++) new Client(engine, id)
await new Promise((resolve) => setTimeout(resolve, 200))
Client.latencies = []
const begin = performance.now()
await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
const micros = Float64Array.from(Client.latencies, (ms) => ms * 1000).sort()
const took = (performance.now() - begin) / 1000
const { lost, wrong } = Client
console.log(
  JSON.stringify({ datagrams: micros.length, seconds: took, lost, wrong, p50: percentile(micros, 0.5), p99: percentile(micros, 0.99) }),
)
process.exit(0)
