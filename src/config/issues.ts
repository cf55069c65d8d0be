import type { z } from 'zod'
import { closest, type Diagnostic, type DiagnosticCode } from './diagnostic.ts'
import type { Path } from './source.ts'

/** What is wrong at a path; the place in a file is found by the caller. */
export interface Finding {
  readonly path: Path
  readonly part: 'key' | 'value'
  readonly details: Pick<Diagnostic, 'severity' | 'code' | 'message' | 'suggestion'>
}

type Issue = z.core.$ZodIssue

/** What zod found, in words: each unknown key by itself with its like, unions reduced to the branch that was meant. */
export function findingsOf(error: z.ZodError, schema: z.ZodType, value: unknown): Finding[] {
  return error.issues.flatMap((issue) => describe(issue, [], schema, value))
}

function describe(issue: Issue, base: Path, schema: z.ZodType, root: unknown): Finding[] {
  const path = [...base, ...(issue.path as (string | number)[])]
  const at = (code: DiagnosticCode, message: string, suggestion?: string): Finding[] => [
    { path, part: 'value', details: { severity: 'error', code, message, suggestion } },
  ]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey([...path, key], key, schema))
    case 'invalid_union': {
      const branch = meantBranch(issue.errors)
      if (branch === undefined) return at('CONFIG_WRONG_TYPE', wrongType(schemaAt(schema, path), valueAt(root, path)))
      return branch.flatMap((inner) => describe(inner, path, schema, root))
    }
    case 'invalid_type':
      if (valueAt(root, path) === undefined)
        return [
          {
            path,
            part: 'key',
            details: { severity: 'error', code: 'CONFIG_MISSING', message: `"${String(path.at(-1) ?? 'configuration')}" is required` },
          },
        ]
      return at('CONFIG_WRONG_TYPE', wrongType(schemaAt(schema, path), valueAt(root, path), issue.expected))
    case 'invalid_value':
      return unknownValue(path, issue.values.map(String), valueAt(root, path))
    case 'invalid_key':
      return [
        {
          path,
          part: 'key',
          details: {
            severity: 'error',
            code: 'CONFIG_INVALID_VALUE',
            message: `the name ${JSON.stringify(path.at(-1))} is not valid: ${issue.issues[0]?.message ?? ''}`,
          },
        },
      ]
    case 'too_big':
    case 'too_small':
      return at('CONFIG_INVALID_VALUE', issue.message.startsWith('Too') ? outOfRange(issue, valueAt(root, path)) : issue.message)
    default:
      return at('CONFIG_INVALID_VALUE', issue.message)
  }
}

function outOfRange(issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall, value: unknown): string {
  const bound = issue.code === 'too_big' ? `at most ${issue.maximum}` : `at least ${issue.minimum}`
  if (typeof value === 'number') return `must be ${bound}, not ${value}`
  return `must have ${bound} ${Array.isArray(value) ? 'items' : 'characters'}`
}

function unknownKey(path: Path, key: string, schema: z.ZodType): Finding {
  const known = keysOf(schemaAt(schema, path.slice(0, -1)))
  const like = closest(key, known)
  const suggestion =
    like === undefined ? (known.length > 0 && known.length < 24 ? `known here: ${known.join(', ')}` : undefined) : `did you mean "${like}"?`
  return { path, part: 'key', details: { severity: 'error', code: 'CONFIG_UNKNOWN_KEY', message: `unknown option "${key}"`, suggestion } }
}

function unknownValue(path: Path, known: readonly string[], value: unknown): Finding[] {
  const option = String(path.at(-1) ?? 'value')
  const what = /^\d+$/.test(option) ? 'value' : option
  const like = typeof value === 'string' ? closest(value, known) : undefined
  const suggestion = like === undefined ? `one of ${known.join(', ')}` : `did you mean "${like}"?`
  return [
    {
      path,
      part: 'value',
      details: { severity: 'error', code: 'CONFIG_UNKNOWN_VALUE', message: `unknown ${what} ${JSON.stringify(value)}`, suggestion },
    },
  ]
}

/** The branch of a union whose type the value has: one that got past the first look. */
function meantBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const isOtherType = (issue: Issue): boolean =>
    issue.path.length === 0 && (issue.code === 'invalid_type' || (issue.code === 'invalid_value' && branches.length > 1))
  const meant = branches.filter((issues) => !issues.some(isOtherType))
  if (meant.length > 0) return meant.reduce((a, b) => (a.length <= b.length ? a : b))
  return branches.find((issues) => issues.every((issue) => issue.code === 'invalid_value'))
}

function wrongType(schema: z.ZodType | undefined, value: unknown, expected?: string): string {
  const wanted = schema === undefined ? (expected ?? 'something else') : describeType(schema)
  return `expected ${wanted}, found ${typeName(value)}`
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  return `${typeof value === 'string' ? 'text' : `the ${typeof value}`} ${JSON.stringify(value)}`
}

/** "a duration", "a map", "one of …": what a schema takes, for people. */
export function describeType(schema: z.ZodType): string {
  const title = schema.meta()?.title
  if (title !== undefined) return `${/^[aeiou]/.test(title) ? 'an' : 'a'} ${title}`
  const inner = unwrapOnce(schema)
  if (inner !== schema) return describeType(inner)
  const definition = inner.def as { type: string; options?: z.ZodType[]; entries?: object; values?: unknown[] }
  switch (definition.type) {
    case 'object':
    case 'record':
      return 'a map'
    case 'array':
      return 'a list'
    case 'enum':
      return `one of ${Object.values(definition.entries ?? {}).join(', ')}`
    case 'literal':
      return (definition.values ?? []).map((one) => JSON.stringify(one)).join(', ')
    case 'union':
      return [...new Set((definition.options ?? []).map(describeType))].join(' or ')
    case 'string':
      return 'text'
    case 'number':
    case 'int':
      return 'a number'
    case 'boolean':
      return 'true or false'
    default:
      return definition.type
  }
}

/** The schema without optional, default and transformation around it. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const inner = unwrapOnce(schema)
  return inner === schema ? schema : unwrap(inner)
}

function unwrapOnce(schema: z.ZodType): z.ZodType {
  const definition = schema.def as { type: string; innerType?: z.ZodType; in?: z.ZodType }
  if (definition.innerType !== undefined) return definition.innerType
  return definition.type === 'pipe' && definition.in !== undefined ? definition.in : schema
}

/** The schema of the value at a path; of a union the branches that have such a member. */
export function schemaAt(schema: z.ZodType, path: Path): z.ZodType | undefined {
  const inner = unwrap(schema)
  if (path.length === 0) return schema
  const [step, ...rest] = path
  const definition = inner.def as {
    type: string
    shape?: Record<string, z.ZodType>
    valueType?: z.ZodType
    element?: z.ZodType
    options?: z.ZodType[]
  }
  if (definition.type === 'object') {
    const member = definition.shape?.[String(step)]
    return member === undefined ? undefined : schemaAt(member, rest)
  }
  if (definition.type === 'record') return definition.valueType === undefined ? undefined : schemaAt(definition.valueType, rest)
  if (definition.type === 'array') return definition.element === undefined ? undefined : schemaAt(definition.element, rest)
  for (const option of definition.options ?? []) {
    const found = schemaAt(option, path)
    if (found !== undefined) return found
  }
  return undefined
}

function keysOf(schema: z.ZodType | undefined): string[] {
  if (schema === undefined) return []
  const definition = unwrap(schema).def as { type: string; shape?: object; options?: z.ZodType[] }
  if (definition.type === 'object') return Object.keys(definition.shape ?? {})
  return (definition.options ?? []).flatMap(keysOf)
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root
  for (const step of path) value = (value as Record<string | number, unknown> | undefined)?.[step]
  return value
}
