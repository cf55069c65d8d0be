import { EvenerError } from '../core/index.ts'
import type { PathMatchPlan } from './config.ts'
import { NormalPath } from './normal-path.ts'
import type { PathEntry } from './path-tree.ts'

/** A character that is in normal form after anything, to close an unfinished segment with. */
const FILLER = 'x'

/** A path pattern of route number `route` as an entry of the trie. Throws CONFIG_INVALID for a pattern that no path could match. */
export function compilePath(plan: PathMatchPlan, route: number): PathEntry {
  if (plan.kind === 'regex') {
    const regex = new RegExp(plan.value)
    return { route, text: literalPrefix(plan.value), isPrefix: true, regex }
  }
  const isPrefix = plan.kind === 'prefix'
  return { route, text: isPrefix ? normalPrefix(plan.value) : normalText(plan.value), isPrefix, regex: null }
}

/** A pattern is written as people write paths; it is compared with normal paths, so it takes their form. */
function normalText(text: string): string {
  const bytes = Buffer.from(text)
  const path = new NormalPath()
  if (!text.startsWith('/') || !path.read(bytes, 0, bytes.length))
    throw new EvenerError('CONFIG_INVALID', `no request can have the path "${text}": it must begin with "/" and have no dot segments`)
  return Buffer.from(path.bytes.subarray(path.start, path.end)).toString('latin1')
}

/** "/." is a prefix of "/.well-known", though it is no path itself. */
function normalPrefix(text: string): string {
  return text === '' ? '' : normalText(text + FILLER).slice(0, -FILLER.length)
}

/**
 * What every path begins with that the regular expression matches, so that it is tried on those paths only: "^/api/v" of
 * "^/api/v(\d+)/". Empty where that cannot be seen at a glance.
 */
export function literalPrefix(source: string): string {
  if (!source.startsWith('^') || source.includes('|')) return ''
  let literal = ''
  let at = 1
  while (at < source.length) {
    const isEscaped = source[at] === '\\'
    const character = source[isEscaped ? at + 1 : at] ?? ''
    const isLiteral = isEscaped ? /[^A-Za-z0-9]/.test(character) : /[A-Za-z0-9/_~!&'@,;=:%-]/.test(character)
    if (!isLiteral) break
    const next = source[at + (isEscaped ? 2 : 1)] ?? ''
    if (next === '?' || next === '*' || next === '{') break
    literal += character
    at += isEscaped ? 2 : 1
    if (next === '+') break
  }
  return literal
}
