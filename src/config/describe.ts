import type { z } from 'zod'
import { configuration } from './root.ts'
import { describeType, unwrap } from './schema-walk.ts'

/** An option as the reference page shows it. */
export interface OptionDescription {
  readonly path: string
  readonly name: string
  readonly depth: number
  readonly anchor: string
  readonly type: string
  readonly isRequired: boolean
  readonly default: string | undefined
  readonly description: string
}

/** All options in the order of the schema, those of a member behind it. */
export function describeOptions(): OptionDescription[] {
  return membersOf(configuration, '', 0)
}

function membersOf(schema: z.ZodType, base: string, depth: number): OptionDescription[] {
  const inner = unwrap(schema)
  const definition = inner.def as {
    type: string
    shape?: Record<string, z.ZodType>
    valueType?: z.ZodType
    element?: z.ZodType
    options?: z.ZodType[]
  }
  if (definition.type === 'object')
    return Object.entries(definition.shape ?? {}).flatMap(([name, member]) => describeMember(member, name, base, depth))
  if (definition.type === 'record' && definition.valueType !== undefined && hasMembers(definition.valueType)) {
    return describeMember(definition.valueType, '<name>', base, depth)
  }
  if (definition.type === 'array' && definition.element !== undefined) return membersOf(definition.element, `${base}[]`, depth)
  return (definition.options ?? []).filter(hasMembers).flatMap((option) => membersOf(option, base, depth))
}

function describeMember(schema: z.ZodType, name: string, base: string, depth: number): OptionDescription[] {
  const path = base === '' ? name : `${base}.${name}`
  const own: OptionDescription = {
    path,
    name,
    depth,
    anchor: path.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, ''),
    type: describeType(schema).replace(/^an? /, ''),
    isRequired: name !== '<name>' && !schema.safeParse(undefined).success,
    default: defaultOf(schema),
    description: schema.description ?? '',
  }
  return [own, ...membersOf(schema, path, depth + 1)]
}

function hasMembers(schema: z.ZodType): boolean {
  const definition = unwrap(schema).def as { type: string; options?: z.ZodType[]; element?: z.ZodType }
  if (definition.type === 'array' && definition.element !== undefined) return hasMembers(definition.element)
  return definition.type === 'object' || (definition.options ?? []).some(hasMembers)
}

/** As it would be written; nothing where the default is what the members' defaults make of an empty map. */
function defaultOf(schema: z.ZodType): string | undefined {
  const definition = schema.def as { type: string; defaultValue?: unknown }
  if (definition.type !== 'default' && definition.type !== 'prefault') return undefined
  const value = definition.defaultValue
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return undefined
  return typeof value === 'string' ? value : JSON.stringify(value)
}
