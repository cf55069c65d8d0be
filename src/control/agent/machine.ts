import { readFileSync } from 'node:fs'

/** How busy a machine is. */
export interface MachineLoad {
  /** Percent in use. */
  readonly cpu: number
  readonly memory: number
  /** TCP sockets in use, IPv4 and IPv6. */
  readonly connections: number
}

/** Reads a file of /proc whole. */
export type ReadProc = (path: string) => string

/** So much of the average is the last sample: a burst of a second counts for half. */
const NEWEST_SHARE = 0.5

/** Measures this machine from /proc. sample() is to be called about once a second: CPU is what was used since the call before. */
export class Machine {
  readonly #read: ReadProc
  #busy = 0
  #total = 0
  #cpu = 0
  #hasSample = false
  #memory = 0
  #connections = 0

  /** Throws where there is no /proc as Linux has it. */
  constructor(read: ReadProc = (path) => readFileSync(path, 'latin1')) {
    this.#read = read
    const { busy, total } = readCpu(read('/proc/stat'))
    this.#busy = busy
    this.#total = total
    this.#readMemory()
  }

  get load(): MachineLoad {
    return { cpu: round(this.#cpu), memory: round(this.#memory), connections: this.#connections }
  }

  sample(): void {
    const { busy, total } = readCpu(this.#read('/proc/stat'))
    if (total > this.#total) {
      const used = (100 * (busy - this.#busy)) / (total - this.#total)
      const sample = Math.max(0, Math.min(100, used))
      this.#cpu += (this.#hasSample ? NEWEST_SHARE : 1) * (sample - this.#cpu)
      this.#hasSample = true
    }
    this.#busy = busy
    this.#total = total
    this.#readMemory()
  }

  #readMemory(): void {
    const memory = this.#read('/proc/meminfo')
    const [whole, available] = ['MemTotal', 'MemAvailable'].map((name) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(memory)?.[1]),
    )
    if (!(whole > 0) || !(available >= 0)) throw new Error('/proc/meminfo does not tell how much memory there is')
    this.#memory = 100 - (100 * Math.min(available, whole)) / whole
    this.#connections =
      countSockets(this.#read('/proc/net/sockstat'), 'TCP') + countSockets(this.#readIfThere('/proc/net/sockstat6'), 'TCP6')
  }

  /** A kernel without IPv6 does not have it. */
  #readIfThere(path: string): string {
    try {
      return this.#read(path)
    } catch {
      return ''
    }
  }
}

/** Of the first line: user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already. */
function readCpu(stat: string): { readonly busy: number; readonly total: number } {
  const ticks = /^cpu +([\d ]+)/.exec(stat)?.[1].trim().split(/ +/).slice(0, 8).map(Number)
  if (ticks === undefined || ticks.length < 4) throw new Error('/proc/stat does not tell how busy the CPUs are')
  const total = ticks.reduce((sum, each) => sum + each, 0)
  const idle = ticks[3] + (ticks[4] ?? 0)
  return { busy: total - idle, total }
}

function countSockets(text: string, name: string): number {
  return Number(new RegExp(`^${name}: inuse (\\d+)`, 'm').exec(text)?.[1] ?? 0)
}

function round(percent: number): number {
  return Math.round(percent * 10) / 10
}
