import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const MOST_OUTPUT_BYTES = 1 << 26

let nextNetwork = 0
const open = new Set<Network>()

/** A test that is ended from outside, or that crashes, leaves nothing either. */
function closeAll(): void {
  for (const network of open) network.close()
}

function endAll(): void {
  closeAll()
  process.exit(143)
}

/**
 * Namespaces for one test: a client, balancers, servers. Names are unique, and everything is taken away when the test ends, also if it
 * fails: processes by their ids, namespaces (with all that is in them), files.
 *
 *     client 10.1.0.2 ── c0 [lb 10.1.0.1 / 10.2.0.1] s0 ── bridge ── 10.2.0.11, .12, .13
 */
export class Network {
  readonly folder = mkdtempSync(join(tmpdir(), 'evener-netns-'))
  readonly #prefix = `ev${process.pid}n${nextNetwork++}`
  readonly #namespaces: string[] = []
  readonly #processes: ChildProcess[] = []
  #mounted: string | undefined

  constructor(t: { after(cleanup: () => void): void }) {
    open.add(this)
    if (open.size === 1) {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, endAll)
      process.once('exit', closeAll)
    }
    t.after(() => this.close())
  }

  space(name: string): string {
    return `${this.#prefix}-${name}`
  }

  addSpace(name: string): void {
    execFileSync('ip', ['netns', 'add', this.space(name)])
    this.#namespaces.push(name)
    this.run(name, 'ip', 'link', 'set', 'lo', 'up')
    // Until an interface's link-local address is known to be its own, a second or two, it cannot ask for its neighbours' addresses.
    this.run(name, 'sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.default.dad_transmits=0')
  }

  /** A link between two namespaces. XDP on a veth needs NAPI at its peer (GRO), and whole checksums from it. */
  link(a: string, aInterface: string, b: string, bInterface: string): void {
    const peer = ['peer', 'name', bInterface, 'netns', this.space(b)]
    execFileSync('ip', ['link', 'add', aInterface, 'netns', this.space(a), 'type', 'veth', ...peer])
    for (const [space, device] of [
      [a, aInterface],
      [b, bInterface],
    ]) {
      this.run(space, 'ip', 'link', 'set', device, 'up')
    }
    // In this order: a veth says that it can be redirected to when GRO is turned on at its peer, and only if both are up.
    for (const [space, device] of [
      [a, aInterface],
      [b, bInterface],
    ]) {
      this.run(space, 'ethtool', '-K', device, 'tx', 'off', 'gro', 'on')
    }
  }

  /** A veth leaves what its peer's program sends back (XDP_TX) lying until something else comes, unless it has a program itself: one that passes all. */
  takeAnswers(space: string, device: string): void {
    const object = join(import.meta.dirname, '../../bpf/dist/realserver.bpf.o')
    this.run(space, 'ip', 'link', 'set', device, 'xdpdrv', 'obj', object, 'sec', 'xdp')
  }

  address(space: string, device: string, ...addresses: string[]): void {
    for (const address of addresses) {
      const extra = address.includes(':') ? ['nodad'] : []
      this.run(space, 'ip', 'addr', 'add', address, 'dev', device, ...extra)
    }
  }

  run(space: string, ...words: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.space(space), ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: MOST_OUTPUT_BYTES,
    })
  }

  start(space: string, ...words: string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.space(space), ...words], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#processes.push(child)
    return child
  }

  /** A connection out of a namespace that stays open between questions. */
  stream(space: string, host: string, port: number): Stream {
    return new Stream(this.start(space, process.execPath, join(import.meta.dirname, 'stream-process.ts'), host, String(port)))
  }

  /** The folder of a BPF file system of this test alone. */
  mountPins(): string {
    const path = join(this.folder, 'bpf')
    execFileSync('mkdir', ['-p', path])
    execFileSync('mount', ['-t', 'bpf', 'bpf', path])
    this.#mounted = path
    return join(path, 'evener')
  }

  close(): void {
    if (!open.delete(this)) return
    if (open.size === 0) {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, endAll)
      process.off('exit', closeAll)
    }
    for (const child of this.#processes) child.kill('SIGKILL')
    for (const name of this.#namespaces) {
      // What a process of ours left behind in a namespace of ours: workers of daemons.
      const left = execFileSync('ip', ['netns', 'pids', this.space(name)], { encoding: 'utf8' }).split('\n')
      for (const id of left) if (id !== '') killQuietly(Number(id))
      execFileSync('ip', ['netns', 'del', this.space(name)])
    }
    if (this.#mounted !== undefined) execFileSync('umount', ['--lazy', this.#mounted])
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function killQuietly(id: number): void {
  try {
    process.kill(id, 'SIGKILL')
  } catch {
    // It has ended in the meantime.
  }
}

/** HTTP over one connection. */
export class Stream {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>

  constructor(child: ChildProcess) {
    assert.ok(child.stdout)
    this.#child = child
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  /** The body of the answer, or "gone". */
  async ask(): Promise<string> {
    this.#child.stdin?.write('\n')
    const { value } = await this.#answers.next()
    return String(value)
  }

  /** Closes the connection. */
  end(): void {
    this.#child.stdin?.end()
  }
}
