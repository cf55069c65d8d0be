/** Which Node runs Evener. Shared by the command and by the repository's scripts, so it must parse on old versions too. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The first Node that runs TypeScript by stripping types, as a checkout needs it. */
export const MINIMUM_NODE = '22.18'

export function isNodeSufficient(version) {
  const [major, minor] = version.split('.').map(Number)
  const [wantedMajor, wantedMinor] = MINIMUM_NODE.split('.').map(Number)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}

/** The Node that `npm ci` brings into a checkout, or undefined where there is none for this platform. */
export function pinnedNode(root) {
  const path = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')
  return existsSync(path) ? path : undefined
}
