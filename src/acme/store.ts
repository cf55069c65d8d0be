import { createHash, randomUUID } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { EvenerError } from '../core/index.ts'
import { readCertificate, type StoredCertificate } from './certificate.ts'
import { AccountKey } from './jws.ts'

const MAX_BYTES = 1024 * 1024
/** No order takes longer: whoever holds a lock for longer has ended without letting go of it. */
const LOCK_LIFE_MS = 15 * 60_000
/** Tells our own locks from those of a process with the same number that ended, in a container always 1. */
const OURSELVES = randomUUID()

/** What is in the file of a certificate. */
export type Stored =
  | { readonly kind: 'none' }
  | { readonly kind: 'read'; readonly certificate: StoredCertificate }
  /** `reason` in words without a full stop. */
  | { readonly kind: 'unusable'; readonly reason: string }

/** Reads a certificate's file. Never throws. */
export function readStored(path: string, names: readonly string[]): Stored {
  try {
    const { size } = statSync(path)
    if (size > MAX_BYTES) return { kind: 'unusable', reason: `it has ${size} bytes` }
    return { kind: 'read', certificate: readCertificate(readFileSync(path, 'utf8'), names) }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? { kind: 'none' } : { kind: 'unusable', reason: message }
  }
}

/**
 * The folder of an ACME client. Files are replaced as a whole, so that others that share the folder read the old contents or the new ones:
 *
 *     accounts/acme-v02.api.letsencrypt.org-1f2e3d4c.pem     the key of the account with a directory
 *     certificates/shop.test-ec256-3f1c0a9b2d4e.pem          chain and key of a certificate
 *     certificates/shop.test-ec256-3f1c0a9b2d4e.pem.lock     somebody is ordering it
 *
 * Folders have the mode 0700 and files 0600. Failures are EvenerErrors ACME_FAILED that name the file.
 */
export class Store {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** The key of the account with that directory; made where there is none. A file that cannot be read is left as it is. */
  accountKey(directory: string): AccountKey {
    const digest = createHash('sha256').update(directory).digest('hex').slice(0, 8)
    const path = join(this.#folder, 'accounts', `${new URL(directory).hostname}-${digest}.pem`)
    return attempt(path, () => {
      this.#makeFolders()
      const known = readIfThere(path)
      if (known !== undefined) return AccountKey.parse(known)
      const made = AccountKey.create()
      const temporary = writeTemporary(path, made.pem())
      try {
        // Unlike a rename it fails where another process was faster.
        linkSync(temporary, path)
        syncFolder(dirname(path))
        return made
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        return AccountKey.parse(readFileSync(path, 'utf8'))
      } finally {
        rmSync(temporary, { force: true })
      }
    })
  }

  /** On disk when it returns. */
  write(path: string, { pem }: StoredCertificate): void {
    attempt(path, () => {
      this.#makeFolders()
      const temporary = writeTemporary(path, pem)
      try {
        renameSync(temporary, path)
      } catch (error) {
        rmSync(temporary, { force: true })
        throw error
      }
      syncFolder(dirname(path))
    })
  }

  /** Of a certificate that is to be ordered: a function that lets go of it, or undefined where another process orders it. */
  lock(path: string, nowMs: number): (() => void) | undefined {
    const file = `${path}.lock`
    return attempt(file, () => {
      this.#makeFolders()
      for (let turn = 0; turn < 2; turn++) {
        try {
          writeNew(file, JSON.stringify({ host: hostname(), pid: process.pid, process: OURSELVES }))
          return () => rmSync(file, { force: true })
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        }
        if (isHeld(file, nowMs)) return undefined
        // Two that find it so at once may both go on: the certificate is ordered twice, and the later one stays.
        rmSync(file, { force: true })
      }
      return undefined
    })
  }

  #makeFolders(): void {
    for (const name of ['accounts', 'certificates']) {
      const folder = join(this.#folder, name)
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      if ((statSync(folder).mode & 0o077) !== 0) chmodSync(folder, 0o700)
    }
  }
}

function isHeld(file: string, nowMs: number): boolean {
  try {
    if (nowMs - statSync(file).mtimeMs > LOCK_LIFE_MS) return false
    const { host, pid, process: owner } = JSON.parse(readFileSync(file, 'utf8')) as { host: string; pid: number; process: string }
    if (host !== hostname() || owner === OURSELVES) return true
    return pid !== process.pid && isAlive(pid)
  } catch (error) {
    // Just let go of, or just being written.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function writeTemporary(path: string, text: string): string {
  const temporary = `${path}.${randomUUID().slice(0, 8)}`
  writeNew(temporary, text)
  return temporary
}

function writeNew(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Or a power failure could undo the rename. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw new EvenerError('ACME_FAILED', `${path}: ${(error as Error).message}`, { cause: error })
  }
}
