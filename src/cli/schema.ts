import { Command } from 'commander'
import { jsonSchema } from '../config/index.ts'

export function schemaCommand(): Command {
  return new Command('schema').description('print the JSON Schema of the configuration, for editors').action(() => {
    process.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`)
  })
}
