/**
 * config: from files to a Plan.
 *
 * In: YAML, JSON or TypeScript, and the environment. Out: a Plan with nothing left to decide, or diagnostics that point at the
 * character. The rooms declare their options in their config.ts; root.ts puts them together to the one schema that gives the
 * checks, the types, the JSON Schema and the reference page.
 *
 *     yaml-file, code-file ─▶ tree (includes, substitute) ─▶ root (schema) ─▶ cross-check ─▶ normalise ─▶ Plan
 *                                                              └─▶ findings ─▶ diagnostic ─▶ format
 */
export { CONFIG_CODES, type ConfigCode } from '../schema/index.ts'
export { describeOptions, type OptionDescription } from './describe.ts'
export type { Diagnostic } from './diagnostic.ts'
export { type FormatOptions, formatBriefly, formatDiagnostics } from './format.ts'
export { jsonSchema } from './json-schema.ts'
export { defineConfig, type LoadOptions, type LoadResult, loadConfig, planFromInput } from './load.ts'
export type { Plan } from './plan.ts'
export type { ConfigurationInput } from './root.ts'
