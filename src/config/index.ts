/**
 * config: from files to a Plan.
 *
 * In: YAML, JSON or TypeScript. Out: a Plan with nothing left to decide, or diagnostics that point at the character. One
 * schema (schema/) gives the checks, the types, the JSON Schema and the reference page.
 *
 *   load.ts: files, includes, ${…} ─▶ source.ts: positions ─▶ schema/ ─▶ cross-check.ts ─▶ build-plan.ts ─▶ Plan
 *                                                                └▶ issues.ts, diagnostic.ts ─▶ what is wrong, and where
 */
export { describeOptions } from './describe.ts'
export { DIAGNOSTIC_CODES, type Diagnostic, type DiagnosticCode, formatDiagnostics } from './diagnostic.ts'
export { jsonSchema } from './json-schema.ts'
export { defineConfig, type LoadOptions, type LoadResult, loadConfig, planFromInput } from './load.ts'
export type { Plan } from './plan.ts'
export type { ConfigurationInput } from './schema/root.ts'
