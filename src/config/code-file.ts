import { basename, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Path } from '../schema/index.ts'
import { type Diagnostic, diagnose } from './diagnostic.ts'
import type { Source, Span } from './source.ts'
import type { Environment } from './substitute.ts'

export interface CodeTask {
  readonly url: string
  /** What `import … from 'evener'` gets. */
  readonly entry: string
}

export type CodeResult =
  | { readonly kind: 'loaded'; readonly value: unknown; readonly problems: readonly { readonly path: Path; readonly message: string }[] }
  | { readonly kind: 'failed'; readonly message: string; readonly stack: string; readonly line?: number }
  | { readonly kind: 'no-export'; readonly found: string }

export const CODE_EXTENSIONS: readonly string[] = ['.ts', '.mts', '.js', '.mjs']
/** Importing a configuration may take so long; one that never ends is an error. */
const MAX_SECONDS = 20
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
const ENTRY = new URL(`../index${EXTENSION}`, import.meta.url).href

/** Runs a configuration in TypeScript or JavaScript and returns its default export as data, with what is wrong. */
export async function readCode(
  source: Source,
  env: Environment,
  span: (path: Path, part: 'key' | 'value') => Span | undefined,
): Promise<{ value: { readonly value: unknown } | undefined; diagnostics: Diagnostic[] }> {
  const result = await run({ url: pathToFileURL(resolve(source.file)).href, entry: ENTRY }, env)
  if (result.kind === 'loaded') {
    const diagnostics = result.problems.map(({ path, message }) =>
      diagnose({ code: 'CONFIG_WRONG_TYPE', message }, source.file, span(path, 'value'), path),
    )
    return { value: { value: result.value }, diagnostics }
  }
  if (result.kind === 'no-export') {
    const complaint = { code: 'CONFIG_WRONG_TYPE', ...explainExport(result.found) } as const
    return { value: undefined, diagnostics: [diagnose(complaint, source.file, undefined)] }
  }
  return { value: undefined, diagnostics: [describeFailure(source, result)] }
}

async function run(task: CodeTask, env: Environment): Promise<CodeResult> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))
  const worker = new Worker(new URL(`./code-worker${EXTENSION}`, import.meta.url), {
    workerData: task,
    env: given,
    name: 'evener-config',
    // Node's parser is asked where a file is malformed, and calls that an experiment.
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const fail = (message: string): CodeResult => ({ kind: 'failed', message, stack: '' })
  const limit = AbortSignal.timeout(MAX_SECONDS * 1000)
  // A thread that has told its result may end in the same turn: whichever event comes first settles it, so no await stands between.
  const result = await new Promise<CodeResult>((done) => {
    worker.once('message', (message) => done(message as CodeResult))
    worker.once('error', (error) => done({ kind: 'failed', message: (error as Error).message, stack: (error as Error).stack ?? '' }))
    worker.once('exit', () => done(fail('it ended the process instead of exporting a configuration')))
    limit.addEventListener('abort', () => done(fail(`it does not come to an end within ${MAX_SECONDS} s`)))
  })
  await worker.terminate()
  return result
}

function explainExport(found: string): { message: string; hint: string } {
  if (found === 'promise') return { message: 'the default export is a promise', hint: '"export default await …" waits for it' }
  const hint = 'it ends in "export default defineConfig({ … })"'
  const message =
    found === 'undefined' ? 'the file has no default export' : `the default export is a ${found}, and a configuration is a map of options`
  return { message, hint }
}

function describeFailure(source: Source, { message, stack, line: malformed }: CodeResult & { kind: 'failed' }): Diagnostic {
  const parsed: [string, number] | undefined = malformed === undefined ? undefined : [resolve(source.file), malformed]
  const [file, line] = placeOfImport(message, source) ?? placeOf(stack) ?? parsed ?? []
  const complaint = { code: 'CONFIG_SYNTAX', message: message.split('\n')[0] } as const
  if (line === undefined || file !== resolve(source.file)) {
    const hint = file === undefined ? undefined : `in ${file}:${line}`
    return diagnose({ ...complaint, hint }, source.file, undefined)
  }
  return diagnose(complaint, source.file, source.lineSpan(line))
}

/** Where the file imports what cannot be found. The stack trace has places of the loader only. */
function placeOfImport(message: string, source: Source): [file: string, line: number] | undefined {
  const match = /^Cannot find (?:module|package) '([^']+)' imported from (.+)$/m.exec(message)
  if (match === null || match[2] !== resolve(source.file)) return undefined
  const line = source.text.split('\n').findIndex((each) => /\b(?:import|from)\b/.test(each) && each.includes(basename(match[1])))
  return line === -1 ? undefined : [match[2], line + 1]
}

/** The first place in a stack trace that is in a file outside of Node and of this program; "file:line" stands before syntax errors. */
function placeOf(stack: string): [file: string, line: number] | undefined {
  for (const line of stack.split('\n')) {
    const match = /(file:\/\/[^\s():]+|\/[^\s():]+):(\d+)(?::\d+)?\)?$/.exec(line)
    if (match === null || line.includes('node:') || match[1].includes('code-worker')) continue
    return [match[1].startsWith('file:') ? fileURLToPath(match[1]) : match[1], Number(match[2])]
  }
  return undefined
}
