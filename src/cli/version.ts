import { readFileSync } from 'node:fs'

/** The version in the package.json above this file, in a checkout and in the built package alike. */
export function readVersion(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version
}
