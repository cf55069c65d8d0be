import type { z } from 'zod'
import { type Configuration, configuration } from './root.ts'
import { accepts, definitionOf, schemaAt, unwrap, valueAt } from './schema-walk.ts'
import type { Tree } from './tree.ts'

/**
 * As much of a configuration as is valid, entry by entry of its records, with defaults for the rest, so that what concerns
 * several options can be checked although some option is wrong.
 */
export function readValidPart(values: Readonly<Record<string, unknown>>): Configuration {
  const entries = Object.entries(configuration.shape).map(([key, schema]) => [key, readOption(schema, values[key])])
  return Object.fromEntries(entries) as Configuration
}

function readOption(schema: z.ZodType, value: unknown): unknown {
  const whole = schema.safeParse(value)
  if (whole.success) return whole.data
  const { type, keyType, valueType } = definitionOf(unwrap(schema))
  if (type !== 'record') return schema.safeParse(undefined).data
  if (typeof value !== 'object' || value === null || keyType === undefined || valueType === undefined) return {}
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, entry]) => {
      const parsed = keyType.safeParse(name).success ? valueType.safeParse(entry) : undefined
      return parsed?.success ? [[name, parsed.data]] : []
    }),
  )
}

/** Text that was filled in becomes the number, or the true and false, that the option wants: `weight: ${WEIGHT}`. */
export function giveTypes(tree: Tree): void {
  for (const { path, value } of tree.substituted()) {
    const schema = schemaAt(configuration, path, tree.values)
    if (schema === undefined || accepts(schema, 'string')) continue
    const around = valueAt(tree.values, path.slice(0, -1)) as Record<string | number, unknown>
    const step = path.at(-1) as string | number
    if (accepts(schema, 'number') && /^-?\d+(\.\d+)?$/.test(value)) around[step] = Number(value)
    else if (accepts(schema, 'boolean') && /^(true|false)$/.test(value)) around[step] = value === 'true'
  }
}
