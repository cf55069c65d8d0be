import type { z } from 'zod'
import { configuration } from './root.ts'
import { describeType, peel, unwrap } from './schema-walk.ts'

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
    discriminator?: string
  }
  if (definition.type === 'object')
    return Object.entries(definition.shape ?? {}).flatMap(([name, member]) => describeMember(member, name, base, depth))
  if (definition.type === 'record' && definition.valueType !== undefined && hasMembers(definition.valueType)) {
    return describeMember(definition.valueType, '<name>', base, depth)
  }
  if (definition.type === 'array' && definition.element !== undefined) return membersOf(definition.element, `${base}[]`, depth)
  const branches = (definition.options ?? []).filter(hasMembers).map((option) => membersOf(option, base, depth))
  return mergeBranches(branches, definition.discriminator)
}

/** The members of a union, each once, as a list of them and a single one have the same. Those that only some kinds have begin with the names of these kinds. */
function mergeBranches(branches: readonly OptionDescription[][], discriminator: string | undefined): OptionDescription[] {
  const merged = new Map<string, { readonly option: OptionDescription; readonly kinds: string[] }>()
  for (const branch of branches) {
    const [kind] = choicesIn(branch.find(({ name }) => name === discriminator)?.type ?? '')
    for (const option of branch) {
      const known = merged.get(option.anchor)
      const kinds = [...(known?.kinds ?? []), kind ?? '']
      const type =
        option.name === discriminator
          ? `one of ${choicesIn(known?.option.type ?? '')
              .concat(kind ?? [])
              .join(', ')}`
          : option.type
      merged.set(option.anchor, { option: { ...(known?.option ?? option), type }, kinds })
    }
  }
  return [...merged.values()].map(({ option, kinds }) =>
    discriminator === undefined || kinds.length === branches.length
      ? option
      : { ...option, description: `Of ${kinds.join(', ')}: ${option.description}` },
  )
}

function choicesIn(type: string): string[] {
  return type.startsWith('one of ') ? type.slice('one of '.length).split(', ') : []
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
    description: descriptionOf(schema),
  }
  return [own, ...membersOf(schema, path, depth + 1)]
}

function hasMembers(schema: z.ZodType): boolean {
  const definition = unwrap(schema).def as { type: string; options?: z.ZodType[]; element?: z.ZodType }
  if (definition.type === 'array' && definition.element !== undefined) return hasMembers(definition.element)
  return definition.type === 'object' || (definition.options ?? []).some(hasMembers)
}

/** Its own, or that of what is optional or has a default. */
function descriptionOf(schema: z.ZodType): string {
  const inner = peel(schema)
  return schema.description ?? (inner === schema ? '' : descriptionOf(inner))
}

/** As it would be written; nothing where the default is what the members' defaults make of an empty map. */
function defaultOf(schema: z.ZodType): string | undefined {
  const definition = schema.def as { type: string; defaultValue?: unknown }
  if (definition.type !== 'default' && definition.type !== 'prefault') return undefined
  const value = definition.defaultValue
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return undefined
  return typeof value === 'string' ? value : JSON.stringify(value)
}
