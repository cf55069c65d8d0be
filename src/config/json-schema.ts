import { z } from 'zod'
import { configuration } from './root.ts'

/** The JSON Schema of what a configuration file may say, for editors: draft 7, which the most of them know. */
export function jsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configuration, { io: 'input', target: 'draft-7', unrepresentable: 'any' }) as Record<string, unknown>
  return { ...schema, title: 'Evener configuration' }
}
