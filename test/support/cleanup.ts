import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where support registers its end: a TestContext, or `{ after }` of node:test for a whole suite. */
export interface Cleanup {
  after(end: () => void | Promise<void>): void
}

/** An empty folder that is removed afterwards. */
export function temporaryFolder(t: Cleanup): string {
  const folder = mkdtempSync(join(tmpdir(), 'evener-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
