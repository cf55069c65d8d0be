import { globSync, readFileSync, statSync } from 'node:fs'
import { dirname, extname, isAbsolute, join, resolve } from 'node:path'
import type { Complaint, Path } from '../schema/index.ts'
import { CODE_EXTENSIONS, readCode } from './code-file.ts'
import { CodePlaces } from './code-places.ts'
import { type Diagnostic, diagnose, type Finding, formatPath } from './diagnostic.ts'
import { Source, type Span } from './source.ts'
import { type Environment, explainReadError, Substitution } from './substitute.ts'
import { YamlFile } from './yaml-file.ts'

const MAX_FILE_BYTES = 8 * 1024 * 1024
/** What an included file may have; everything else concerns the whole and stands in the main file. */
const INCLUDED_KEYS: readonly string[] = ['listeners', 'pools']

type Values = Record<string, unknown>

/** A file that was read: its values, and where they stand. */
interface Part {
  readonly file: string
  readonly substitution: Substitution
  span(path: Path, part: 'key' | 'value'): Span | undefined
}

/**
 * A configuration with everything that it includes as one tree of values:
 *
 *     edge.yaml            include: conf.d/*.yaml        listeners: web, …      pools: app, …
 *     conf.d/shop.yaml                                   listeners: shop        pools: shop
 */
export class Tree {
  readonly values: Values = Object.create(null)
  readonly diagnostics: Diagnostic[] = []
  readonly files: string[] = []
  /** False where a file could not be read, so that nothing can be said about what is missing. */
  isComplete = true
  readonly #env: Environment
  #main: Part | undefined
  /** The file of an entry that was included, by "listeners.web". */
  readonly #origins = new Map<string, Part>()

  constructor(env: Environment) {
    this.#env = env
  }

  /** A tree of values that stand in no file. */
  static ofValues(name: string, values: unknown): Tree {
    const tree = new Tree({})
    tree.files.push(name)
    tree.#main = { file: name, substitution: new Substitution(name, {}), span: () => undefined }
    if (isMap(values)) Object.assign(tree.values, values)
    else tree.#complain(tree.#main, [], { code: 'CONFIG_WRONG_TYPE', message: 'a configuration is a map of options' })
    return tree
  }

  async read(file: string): Promise<void> {
    const [part, values] = (await this.#readFile(file)) ?? []
    this.#main = part
    if (part === undefined || values === undefined) return
    Object.assign(this.values, values)
    for (const [index, pattern] of [values.include].flat().entries()) {
      if (typeof pattern !== 'string') continue
      for (const found of this.#find(part, pattern, Array.isArray(values.include) ? ['include', index] : ['include']))
        await this.#include(found)
    }
  }

  /** The diagnostic of a finding, in the file that the value comes from. Values that came from elsewhere are not shown. */
  locate({ path, part, complaint }: Finding): Diagnostic {
    const origin = this.#originOf(path)
    if (origin === undefined) return diagnose(complaint, this.files[0] ?? '', undefined, path)
    const shown = hideSubstituted(complaint, origin.substitution.written.get(formatPath(path)))
    return diagnose(shown, origin.file, origin.span(path, part), path)
  }

  /** Whether a value could not be filled in, so that whatever else is wrong with it means nothing. */
  isUnresolved(path: Path): boolean {
    const text = formatPath(path)
    return this.#originOf(path)?.substitution.findings.some((finding) => formatPath(finding.path) === text) ?? false
  }

  /** Paths of values that were filled in. */
  substituted(): { readonly path: Path; readonly value: string }[] {
    const parts = new Set([this.#main, ...this.#origins.values()])
    return [...parts].flatMap((part) => [...(part?.substitution.written.values() ?? [])]).filter(({ path }) => this.#isInForce(path))
  }

  #isInForce(path: Path): boolean {
    return this.#originOf(path)?.substitution.written.has(formatPath(path)) ?? false
  }

  /** "edge.yaml:14"; the file alone where lines are not known. */
  sourceOf(path: Path): string {
    const origin = this.#originOf(path)
    const line = origin?.span(path, 'key')?.line
    return line === undefined ? (origin?.file ?? '') : `${origin?.file}:${line}`
  }

  /** The folder of the file that a value was written in. */
  folderOf(path: Path): string {
    return dirname(this.#originOf(path)?.file ?? '')
  }

  #originOf(path: Path): Part | undefined {
    return this.#origins.get(`${path[0]}.${path[1]}`) ?? this.#main
  }

  #complain(part: Part, path: Path, complaint: Complaint, where: 'key' | 'value' = 'value'): void {
    this.diagnostics.push(diagnose(complaint, part.file, part.span(path, where), path))
  }

  /** Files that a pattern of `include` stands for, in the order of their names. */
  #find(part: Part, pattern: string, path: Path): string[] {
    const folder = dirname(part.file)
    const found = globSync(pattern, { cwd: folder })
      .sort()
      .map((name) => (isAbsolute(name) ? name : join(folder, name)))
    if (found.length === 0 && !/[*?[{]/.test(pattern)) {
      this.isComplete = false
      this.#complain(part, path, { code: 'CONFIG_INCLUDE', message: `${JSON.stringify(pattern)} is not there` })
    }
    return found.filter((file) => resolve(file) !== resolve(part.file) && !this.files.includes(file))
  }

  async #include(file: string): Promise<void> {
    const [part, values] = (await this.#readFile(file)) ?? []
    if (part === undefined || values === undefined) return
    for (const [key, entries] of Object.entries(values)) {
      if (INCLUDED_KEYS.includes(key)) this.#merge(part, key, entries)
      else {
        const message = `${JSON.stringify(key)} may stand in the main file only`
        this.#complain(part, [key], { code: 'CONFIG_INCLUDE', message, hint: `an included file has ${INCLUDED_KEYS.join(' and ')}` }, 'key')
      }
    }
  }

  #merge(part: Part, key: string, entries: unknown): void {
    if (entries === null) return
    if (!isMap(entries)) {
      this.#complain(part, [key], { code: 'CONFIG_WRONG_TYPE', message: 'expected a map' })
      return
    }
    const present = this.values[key]
    // Where the main file has something else than a map, the schema says so.
    const into = isMap(present) ? present : (this.values[key] ??= Object.create(null) as Values)
    if (!isMap(into)) return
    for (const [name, entry] of Object.entries(entries)) {
      if (name in into)
        this.#complain(
          part,
          [key, name],
          { code: 'CONFIG_DUPLICATE', message: `${key}.${name} is there already`, hint: `in ${this.sourceOf([key, name])}` },
          'key',
        )
      else {
        this.#origins.set(`${key}.${name}`, part)
        into[name] = entry
      }
    }
  }

  async #readFile(file: string): Promise<[Part, Values] | undefined> {
    this.files.push(file)
    const source = this.#readSource(file)
    const loaded = source && (CODE_EXTENSIONS.includes(extname(file)) ? await this.#readCode(source) : this.#readYaml(source))
    if (loaded === undefined) {
      this.isComplete = false
      return undefined
    }
    const substitution = new Substitution(file, this.#env)
    const values = substitution.apply(loaded.value)
    const part: Part = { file, substitution, span: loaded.span }
    for (const { path, complaint } of substitution.findings) this.#complain(part, path, complaint)
    if (isMap(values)) return [part, values]
    // An empty file is an empty map.
    if (values === null || values === undefined) return [part, Object.create(null) as Values]
    this.isComplete = false
    this.#complain(part, [], {
      code: 'CONFIG_WRONG_TYPE',
      message: `a configuration is a map of options, not ${Array.isArray(values) ? 'a list' : 'a single value'}`,
    })
    return undefined
  }

  #readYaml(source: Source): { value: unknown; span: Part['span'] } | undefined {
    const yaml = new YamlFile(source)
    const read = yaml.read()
    this.diagnostics.push(...yaml.diagnostics)
    return read && { value: read.value, span: (path, part) => yaml.span(path, part) }
  }

  async #readCode(source: Source): Promise<{ value: unknown; span: Part['span'] } | undefined> {
    // Read only where something has to be told.
    let places: CodePlaces | undefined
    const span: Part['span'] = (path, part) => {
      places ??= new CodePlaces(source)
      return places.span(path, part)
    }
    const { value, diagnostics } = await readCode(source, this.#env, span)
    this.diagnostics.push(...diagnostics)
    return value && { value: value.value, span }
  }

  #readSource(file: string): Source | undefined {
    const fail = (complaint: Complaint): undefined => void this.diagnostics.push(diagnose(complaint, file, undefined))
    try {
      const { size } = statSync(file)
      if (size > MAX_FILE_BYTES) return fail({ code: 'CONFIG_TOO_LARGE', message: `a file of ${size} bytes, and 8 MiB is the most` })
      return new Source(file, new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file)))
    } catch (error) {
      return fail({ code: 'CONFIG_NOT_READABLE', message: `cannot be read: ${explainReadError(error)}` })
    }
  }
}

function hideSubstituted(complaint: Complaint, written: { readonly text: string; readonly value: string } | undefined): Complaint {
  if (written === undefined || written.value === '') return complaint
  const { text, value } = written
  const hide = (message: string): string => {
    const inner = message.replaceAll(JSON.stringify(value), JSON.stringify(text)).replaceAll(`${value.slice(0, 40)}…`, text)
    return value.length < 3 ? inner : inner.replaceAll(value, text)
  }
  return { ...complaint, message: hide(complaint.message), hint: complaint.hint && hide(complaint.hint) }
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
