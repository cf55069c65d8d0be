/**
 * Imports a configuration in TypeScript or JavaScript in a thread of its own, so that each load sees the files as they are now,
 * with everything that they import, and leaves nothing behind. Not imported by anybody: code-file.ts starts it.
 */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type { CodeResult, CodeTask } from './code-file.ts'

const { url, entry } = workerData as CodeTask
const MAX_DEPTH = 64

// A configuration lies anywhere, also where no package "evener" is installed beside it.
registerHooks({
  resolve: (specifier, context, next) => (specifier === 'evener' ? { url: entry, shortCircuit: true } : next(specifier, context)),
})

parentPort?.postMessage(await load())

async function load(): Promise<CodeResult> {
  let module: { readonly default?: unknown }
  try {
    module = (await import(url)) as { readonly default?: unknown }
  } catch (error) {
    if (!(error instanceof Error)) return { kind: 'failed', message: `it throws ${String(error)}`, stack: '' }
    const line = error instanceof SyntaxError ? malformedLine() : undefined
    return { kind: 'failed', message: error.message, stack: error.stack ?? '', line }
  }
  if (typeof module.default !== 'object' || module.default === null) return { kind: 'no-export', found: typeof module.default }
  if (module.default instanceof Promise) return { kind: 'no-export', found: 'promise' }
  const problems: { path: (string | number)[]; message: string }[] = []
  const value = plain(module.default, [], [], problems)
  return { kind: 'loaded', value, problems }
}

/** The engine does not say where JavaScript is malformed; the parser that strips types does. */
function malformedLine(): number | undefined {
  try {
    stripTypeScriptTypes(readFileSync(new URL(url), 'utf8'))
    return undefined
  } catch (error) {
    const line = /:(\d+)\n/.exec((error as Error).stack ?? '')?.[1]
    return line === undefined ? undefined : Number(line)
  }
}

/** The value as data without prototypes; what is no data is told and left out. */
function plain(
  value: unknown,
  path: (string | number)[],
  around: readonly unknown[],
  problems: { path: (string | number)[]; message: string }[],
): unknown {
  const refuse = (message: string): undefined => {
    problems.push({ path, message })
    return undefined
  }
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint')
    return refuse(`a ${typeof value} is no configuration`)
  if (typeof value !== 'object' || value === null) return value
  if (around.includes(value)) return refuse('the value is a part of itself')
  if (around.length > MAX_DEPTH) return refuse(`nested deeper than ${MAX_DEPTH}`)
  const inside = [...around, value]
  if (Array.isArray(value)) return value.map((item, index) => plain(item, [...path, index], inside, problems))
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null
  if (prototype !== null && prototype !== Object.prototype)
    return refuse(`a ${prototype.constructor?.name ?? 'object of a class'} is no configuration`)
  const map: Record<string, unknown> = Object.create(null)
  for (const [key, member] of Object.entries(value)) if (member !== undefined) map[key] = plain(member, [...path, key], inside, problems)
  return map
}
