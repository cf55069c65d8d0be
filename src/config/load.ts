import { checkReferences, crossCheck } from './cross-check.ts'
import { type Diagnostic, type Finding, parsePath, sortDiagnostics } from './diagnostic.ts'
import { findingsOf } from './findings.ts'
import { formatBriefly } from './format.ts'
import { normalise } from './normalise.ts'
import { giveTypes, readValidPart } from './partial.ts'
import type { Plan } from './plan.ts'
import { type ConfigurationInput, configuration } from './root.ts'
import type { Environment } from './substitute.ts'
import { checkTlsFiles, resolveTlsFiles } from './tls-files.ts'
import { Tree } from './tree.ts'

export interface LoadOptions {
  /** For ${NAME}, and what a configuration in TypeScript sees as process.env. */
  readonly env: Environment
}

export interface LoadResult {
  /** undefined where there are errors. */
  readonly plan: Plan | undefined
  /** Errors and warnings, by place. */
  readonly diagnostics: readonly Diagnostic[]
  /** The file and those that it includes. */
  readonly files: readonly string[]
  /** "edge.yaml:14" for a path like the id of a route; the file alone where lines are not known, "" where there is no file. */
  sourceOf(path: string): string
}

/** Reads, checks and normalises a configuration. Nothing is thrown: whatever is wrong is a diagnostic, all of them at once. */
export async function loadConfig(file: string, options: LoadOptions): Promise<LoadResult> {
  const tree = new Tree(options.env)
  await tree.read(file)
  return evaluate(tree)
}

/** A plan from an object, as the commands `proxy` and `demo` make it. */
export function planFromInput(input: unknown): LoadResult {
  return evaluate(Tree.ofValues('(command line)', structuredClone(input)))
}

/** Gives the types of a configuration to an editor: `export default defineConfig({ … })`. */
export function defineConfig(config: ConfigurationInput): ConfigurationInput {
  return config
}

function evaluate(tree: Tree): LoadResult {
  const findings = tree.files.length > 0 && Object.keys(tree.values).length === 0 && !tree.isComplete ? [] : check(tree)
  const diagnostics = sortDiagnostics([...tree.diagnostics, ...findings.map((finding) => tree.locate(finding))], tree.files)
  const hasErrors = diagnostics.some(({ severity }) => severity === 'error')
  const parsed = hasErrors ? undefined : configuration.safeParse(tree.values)
  return {
    plan: parsed?.data && resolveTlsFiles(normalise(parsed.data, diagnostics.map(formatBriefly)), (path) => tree.folderOf(path)),
    diagnostics,
    files: tree.files,
    sourceOf: (path) => tree.sourceOf(parsePath(path)),
  }
}

function check(tree: Tree): Finding[] {
  giveTypes(tree)
  const parsed = configuration.safeParse(tree.values)
  const findings = parsed.success ? [] : findingsOf(parsed.error, configuration, tree.values)
  const valid = parsed.success ? parsed.data : readValidPart(tree.values)
  const plan = normalise(valid, [])
  const crossed = [...crossCheck(plan), ...checkTlsFiles(plan, (path) => tree.folderOf(path))]
  const references = tree.isComplete ? checkReferences(tree.values) : []
  const all = [...findings, ...crossed, ...references].filter(({ path }) => !tree.isUnresolved(path))
  // What is used cannot be told while something is wrong.
  const hasErrors = tree.diagnostics.length > 0 || all.some(({ complaint }) => complaint.severity !== 'warning')
  return hasErrors ? all.filter(({ complaint }) => complaint.code !== 'CONFIG_UNUSED') : all
}
