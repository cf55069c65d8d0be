import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { addressBytes, EvenerError } from '../core/index.ts'
import type { RouteSocket } from '../kernel/netlink/index.ts'
import { Sysctls } from './sysctls.ts'

/** The file: which process made the changes, and what was before. */
interface State {
  readonly process: number
  readonly sysctls: Readonly<Record<string, string>>
  readonly addresses: readonly string[]
}

/** Settings and addresses of this machine that were changed, in memory and in a file that a crash leaves. */
export class HostChanges {
  readonly #routes: RouteSocket
  readonly #loopback: number
  readonly #path: string | undefined
  readonly #sysctls: Sysctls
  readonly #addresses: string[]

  /** Takes over what the file says of an earlier run. Throws PACKET_BUSY while that run is alive. */
  constructor(routes: RouteSocket, loopback: number, path: string | undefined) {
    this.#routes = routes
    this.#loopback = loopback
    this.#path = path
    const state = path === undefined ? undefined : readState(path)
    if (state !== undefined && isAlive(state.process)) {
      throw new EvenerError('PACKET_BUSY', `process ${state.process} makes this machine a server already (${path}); end it first`)
    }
    this.#sysctls = new Sysctls(state?.sysctls)
    this.#addresses = [...(state?.addresses ?? [])]
  }

  setSysctl(name: string, value: string): void {
    this.#sysctls.set(name, value)
    this.#save()
  }

  addAddress(address: string): void {
    if (this.#routes.addAddress(this.#loopback, addressBytes(address))) this.#addresses.push(address)
    this.#save()
  }

  describe(): string[] {
    return [...this.#sysctls.changes(), ...this.#addresses.map((address) => `lo: ${address} added`)]
  }

  undo(): void {
    for (const address of this.#addresses) this.#routes.tryRemoveAddress(this.#loopback, addressBytes(address))
    this.#sysctls.restore()
    if (this.#path !== undefined) rmSync(this.#path, { force: true })
  }

  #save(): void {
    if (this.#path === undefined) return
    const state: State = { process: process.pid, sysctls: this.#sysctls.before, addresses: this.#addresses }
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o755 })
    writeFileSync(this.#path, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 })
  }
}

function readState(path: string): State | undefined {
  if (!existsSync(path)) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as State
  } catch (cause) {
    throw new EvenerError('SYSTEM_CALL_FAILED', `${path} cannot be read; remove it if nothing is to be undone`, { cause })
  }
}

/** Another process may have got the number in the meantime. */
function isAlive(id: number): boolean {
  const path = `/proc/${id}/cmdline`
  return id !== process.pid && existsSync(path) && readFileSync(path, 'latin1').includes('realserver')
}
