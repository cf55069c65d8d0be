import { z } from 'zod'
import { configuration } from './schema/root.ts'

/** The JSON Schema (2020-12) of what a configuration file may say, for editors. */
export function jsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configuration, { io: 'input', unrepresentable: 'any' }) as Record<string, unknown>
  return { ...schema, title: 'Evener configuration' }
}
