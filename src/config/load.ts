import { globSync, readFileSync, statSync } from 'node:fs'
import { type ResolveHookSync, registerHooks } from 'node:module'
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildPlan } from './build-plan.ts'
import { checkReferences, crossCheck } from './cross-check.ts'
import type { Diagnostic } from './diagnostic.ts'
import { type Finding, findingsOf } from './issues.ts'
import type { Plan } from './plan.ts'
import { type ConfigurationInput, configuration } from './schema/root.ts'
import { formatPath, MAX_FILE_BYTES, Source } from './source.ts'

export interface LoadOptions {
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface LoadResult {
  /** undefined where there are errors. */
  readonly plan: Plan | undefined
  /** Errors and warnings, by place. */
  readonly diagnostics: readonly Diagnostic[]
  readonly files: readonly string[]
}

/** Keys that an included file may have. */
const INCLUDED_KEYS = ['listeners', 'pools']

/** Reads, checks and normalises a configuration. Nothing is thrown: whatever is wrong is a diagnostic, all of them at once. */
export async function loadConfig(file: string, options: LoadOptions): Promise<LoadResult> {
  const tree = await new TreeReader(options).read(file)
  return check(tree)
}

/** A plan from an object, as the commands `proxy` and `demo` make it. */
export function planFromInput(input: unknown): LoadResult {
  return check({ file: '(command line)', value: input, sources: new Map(), problems: [] })
}

/** Gives the types of a configuration to an editor: `export default defineConfig({ … })`. */
export function defineConfig(config: ConfigurationInput): ConfigurationInput {
  return config
}

interface Tree {
  readonly file: string
  readonly value: unknown
  /** The file that an entry of `listeners` or `pools` stands in, by "listeners.web"; "" is the main file. */
  readonly sources: ReadonlyMap<string, Source>
  readonly problems: readonly Diagnostic[]
}

function check(tree: Tree): LoadResult {
  const files = [...new Set([tree.file, ...[...tree.sources.values()].map(({ file }) => file)])]
  const located = (findings: readonly Finding[]): Diagnostic[] => findings.map((finding) => locate(tree, finding))
  if (tree.problems.length > 0 || tree.value === undefined) return { plan: undefined, diagnostics: sorted(tree.problems), files }
  const parsed = configuration.safeParse(tree.value)
  const references = checkReferences(tree.value)
  if (!parsed.success) {
    return { plan: undefined, diagnostics: sorted(located([...findingsOf(parsed.error, configuration, tree.value), ...references])), files }
  }
  const diagnostics = sorted(located([...crossCheck(parsed.data), ...references]))
  if (diagnostics.some(({ severity }) => severity === 'error')) return { plan: undefined, diagnostics, files }
  const warnings = diagnostics.map(
    ({ file, line, column, path, message }) => `${line === 0 ? file : `${file}:${line}:${column}`}  ${path}: ${message}`,
  )
  return { plan: buildPlan(parsed.data, warnings), diagnostics, files }
}

function locate(tree: Tree, { path, part, details }: Finding): Diagnostic {
  const source = tree.sources.get(`${path[0]}.${path[1]}`) ?? tree.sources.get('')
  if (source !== undefined) return source.about(path, part, details)
  return { ...details, file: tree.file, line: 0, column: 0, length: 0, path: formatPath(path) }
}

function sorted(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...diagnostics].sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column)
}

/** Reads a file with what it includes into one tree. */
class TreeReader {
  readonly #options: LoadOptions
  readonly #sources = new Map<string, Source>()
  readonly #problems: Diagnostic[] = []

  constructor(options: LoadOptions) {
    this.#options = options
  }

  async read(file: string): Promise<Tree> {
    const isCode = ['.ts', '.mts', '.js', '.mjs'].includes(extname(file))
    const value = isCode ? await this.#import(file) : this.#parse(file, '')
    const main = isObject(value) ? { ...value } : value === null ? {} : value
    if (isObject(main) && this.#problems.length === 0) this.#include(file, main)
    return { file, value: main, sources: this.#sources, problems: this.#problems }
  }

  #include(file: string, main: Record<string, unknown>): void {
    if (!Array.isArray(main.include)) return
    const patterns = main.include.filter((pattern) => typeof pattern === 'string')
    for (const pattern of patterns) {
      const found = globSync(pattern, { cwd: dirname(resolve(file)) }).sort()
      for (const name of found) this.#merge(main, isAbsolute(name) ? name : join(dirname(file), name))
    }
  }

  #merge(main: Record<string, unknown>, file: string): void {
    const value = this.#parse(file, undefined)
    if (value === undefined || value === null) return
    const source = this.#sources.get(file) as Source
    this.#sources.delete(file)
    if (!isObject(value)) {
      this.#problems.push(
        source.about([], 'value', {
          severity: 'error',
          code: 'CONFIG_WRONG_TYPE',
          message: 'an included file is a map with "listeners" and "pools"',
          suggestion: undefined,
        }),
      )
      return
    }
    for (const [key, entries] of Object.entries(value)) {
      if (!INCLUDED_KEYS.includes(key) || !isObject(entries)) {
        const message = `an included file may have ${INCLUDED_KEYS.map((known) => `"${known}"`).join(' and ')}, not "${key}"`
        this.#problems.push(source.about([key], 'key', { severity: 'error', code: 'CONFIG_UNKNOWN_KEY', message, suggestion: undefined }))
        continue
      }
      this.#mergeEntries(main, key, entries, source)
    }
  }

  #mergeEntries(main: Record<string, unknown>, key: string, entries: Record<string, unknown>, source: Source): void {
    const into = isObject(main[key]) ? { ...main[key] } : {}
    for (const [name, entry] of Object.entries(entries)) {
      if (name in into) {
        this.#problems.push(
          source.about([key, name], 'key', {
            severity: 'error',
            code: 'CONFIG_DUPLICATE',
            message: `${key}.${name} is there already`,
            suggestion: undefined,
          }),
        )
      }
      into[name] = entry
      this.#sources.set(`${key}.${name}`, source)
    }
    main[key] = into
  }

  #parse(file: string, name: string | undefined): unknown {
    const text = this.#text(file)
    if (text === undefined) return undefined
    const source = new Source(file, text)
    this.#sources.set(name ?? file, source)
    source.visitScalars((value, report) => this.#substitute(value, dirname(file), report))
    const value = source.value()
    this.#problems.push(...source.problems)
    if (value !== undefined && value !== null && !isObject(value)) {
      this.#problems.push(
        source.about([], 'value', {
          severity: 'error',
          code: 'CONFIG_WRONG_TYPE',
          message: 'a configuration is a map of options',
          suggestion: undefined,
        }),
      )
    }
    return value
  }

  #text(file: string): string | undefined {
    try {
      const bytes = statSync(file).size
      if (bytes > MAX_FILE_BYTES) throw new Error(`it has ${bytes} bytes, and ${MAX_FILE_BYTES} is the most`)
      return readFileSync(file, 'utf8')
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const why =
        code === 'ENOENT'
          ? 'there is no such file'
          : code === 'EACCES'
            ? 'permission denied'
            : code === 'EISDIR'
              ? 'it is a folder'
              : message
      this.#report(file, 'CONFIG_NOT_READABLE', `cannot be read: ${why}`)
      return undefined
    }
  }

  /** ${NAME}, ${NAME:-default} and ${file:path}; $${ is a plain ${. */
  #substitute(value: string, folder: string, report: (message: string) => void): string {
    return value.replace(/\$(\$\{)|\$\{([^}]*)\}/g, (_, escaped: string | undefined, inner: string) => {
      if (escaped !== undefined) return escaped
      if (inner.startsWith('file:')) return this.#fileContent(resolve(folder, inner.slice('file:'.length)), report)
      const [, name, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inner) ?? []
      if (name === undefined)
        report(`"\${${inner}}" is no substitution: write \${NAME}, \${NAME:-default} or \${file:path}, and $\${ for a plain \${`)
      const found = name === undefined ? '' : (this.#options.env[name] ?? fallback)
      if (found === undefined) report(`the environment variable ${name} is not set; \${${name}:-default} gives it a default`)
      return found ?? ''
    })
  }

  #fileContent(file: string, report: (message: string) => void): string {
    try {
      return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    } catch (error) {
      report(
        `${basename(file)} cannot be read: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message}`,
      )
      return ''
    }
  }

  /** The version in the address makes a reload see what has changed. */
  async #import(file: string): Promise<unknown> {
    if (this.#text(file) === undefined) return undefined
    const hooks = registerHooks({ resolve: resolveEvener })
    try {
      const url = pathToFileURL(resolve(file))
      url.searchParams.set('version', String(statSync(file).mtimeMs))
      const module = (await import(url.href)) as { default?: unknown }
      if (isObject(module.default)) return structuredClone(module.default)
      this.#report(file, 'CONFIG_WRONG_TYPE', 'a configuration in TypeScript ends in "export default defineConfig({ … })"')
    } catch (error) {
      const stack = (error as Error).stack ?? ''
      const place = new RegExp(`${relative('/', resolve(file)).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}[^:]*:(\\d+)`).exec(stack)?.[1]
      this.#report(file, 'CONFIG_SYNTAX', `${place === undefined ? '' : `line ${place}: `}${(error as Error).message}`)
    } finally {
      hooks.deregister()
    }
    return undefined
  }

  #report(file: string, code: Diagnostic['code'], message: string): void {
    this.#problems.push({ severity: 'error', code, file, line: 0, column: 0, length: 0, path: '', message })
  }
}

/** `import … from 'evener'` in a configuration is this Evener, wherever the file lies and however Evener came here. */
const resolveEvener: ResolveHookSync = (specifier, context, next) => {
  if (specifier !== 'evener') return next(specifier, context)
  return next(new URL(`../index${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href, context)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
