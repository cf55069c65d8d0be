import type { z } from 'zod'
import type { Path } from '../schema/index.ts'

interface Definition {
  readonly type: string
  readonly innerType?: z.ZodType
  readonly in?: z.ZodType
  readonly out?: z.ZodType
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly keyType?: z.ZodType
  readonly valueType?: z.ZodType
  readonly element?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly discriminator?: string
  readonly entries?: Readonly<Record<string, unknown>>
  readonly values?: readonly unknown[]
}

export function definitionOf(schema: z.ZodType): Definition {
  return schema.def as unknown as Definition
}

/** The schema without one layer of optional, default or transformation around it; itself where there is none. */
export function peel(schema: z.ZodType): z.ZodType {
  const { type, innerType, in: input, out } = definitionOf(schema)
  if (innerType !== undefined) return innerType
  if (type !== 'pipe' || input === undefined) return schema
  return definitionOf(input).type === 'transform' && out !== undefined ? out : input
}

/** The schema without all of them. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const inner = peel(schema)
  return inner === schema ? schema : unwrap(inner)
}

/** The schema of what is at a path of a value. Of a union it is the first branch that has such a member, or the one that `value` chose. */
export function schemaAt(schema: z.ZodType, path: Path, value?: unknown): z.ZodType | undefined {
  if (path.length === 0) return schema
  const [step, ...rest] = path
  const member = memberOf(value, step)
  const { type, shape, valueType, element, options, discriminator } = definitionOf(unwrap(schema))
  const inner = type === 'object' ? shape?.[String(step)] : type === 'record' ? valueType : type === 'array' ? element : undefined
  if (inner !== undefined) return schemaAt(inner, rest, member)
  for (const option of options ?? []) {
    if (discriminator !== undefined && !isChosen(option, discriminator, value)) continue
    const found = schemaAt(option, path, value)
    if (found !== undefined) return found
  }
  return undefined
}

/** The value at a path; undefined where there is none. */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root
  for (const step of path) value = memberOf(value, step)
  return value
}

/** The options that a map of this schema may have. */
export function keysOf(schema: z.ZodType | undefined, value?: unknown): string[] {
  if (schema === undefined) return []
  const { type, shape, options, discriminator } = definitionOf(unwrap(schema))
  if (type === 'object') return Object.keys(shape ?? {})
  const chosen = (options ?? []).filter((option) => discriminator === undefined || isChosen(option, discriminator, value))
  return [...new Set(chosen.flatMap((option) => keysOf(option, value)))]
}

/** The fixed values that a schema knows by name. */
export function choicesOf(schema: z.ZodType | undefined): string[] {
  if (schema === undefined) return []
  const { entries, values, options } = definitionOf(unwrap(schema))
  return [...Object.values(entries ?? {}), ...(values ?? [])].map(String).concat((options ?? []).flatMap(choicesOf))
}

/** Whether plain text, or a number, or true and false may stand there. */
export function accepts(schema: z.ZodType | undefined, kind: 'string' | 'number' | 'boolean'): boolean {
  if (schema === undefined) return kind === 'string'
  const { type, options, values } = definitionOf(unwrap(schema))
  if (type === 'union') return (options ?? []).some((option) => accepts(option, kind))
  if (type === 'literal') return kind !== 'string' && (values ?? []).some((value) => typeof value === kind)
  return type === kind || (type === 'int' && kind === 'number')
}

/** "a duration", "a map", "one of json, combined": what a schema takes, in words. */
export function describeType(schema: z.ZodType): string {
  const title = schema.meta()?.title
  if (title !== undefined) return `${/^[aeiou]/.test(title) ? 'an' : 'a'} ${title}`
  const inner = peel(schema)
  if (inner !== schema) return describeType(inner)
  const { type, options, entries, values, element } = definitionOf(schema)
  switch (type) {
    case 'object':
    case 'record':
      return 'a map'
    case 'array':
      return element === undefined
        ? 'a list'
        : `a list${isNamed(element) ? ` of ${plural(describeType(element).replace(/^an? /, ''))}` : ''}`
    case 'enum':
      return `one of ${Object.values(entries ?? {}).join(', ')}`
    case 'literal':
      return (values ?? [])
        .map((value) => JSON.stringify(value))
        .join(', ')
        .replace(/, ([^,]*)$/, ' or $1')
    case 'union':
      return [
        ...new Set((options ?? []).filter((option, index, all) => !isNumericForm(option, all.slice(0, index))).map(describeType)),
      ].join(' or ')
    case 'string':
      return 'text'
    case 'number':
    case 'int':
      return (schema as { format?: string | null }).format === 'safeint' ? 'a whole number' : 'a number'
    case 'boolean':
      return 'true or false'
    default:
      return type
  }
}

function plural(noun: string): string {
  return noun.endsWith('s') ? `${noun}es` : `${noun}s`
}

/** The choices of another branch, for who writes them as numbers. */
function isNumericForm(option: z.ZodType, others: readonly z.ZodType[]): boolean {
  const values = definitionOf(unwrap(option)).values ?? []
  const texts = others.flatMap(choicesOf)
  return values.length > 0 && values.every((value) => typeof value === 'number' && texts.includes(String(value)))
}

function isNamed(schema: z.ZodType): boolean {
  return schema.meta()?.title !== undefined || (peel(schema) !== schema && isNamed(peel(schema)))
}

function isChosen(option: z.ZodType, discriminator: string, value: unknown): boolean {
  const name = memberOf(value, discriminator)
  if (name === undefined) return true
  const member = definitionOf(unwrap(option)).shape?.[discriminator]
  return choicesOf(member).includes(String(name))
}

function memberOf(value: unknown, step: string | number): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return (value as Record<string | number, unknown>)[step]
}
