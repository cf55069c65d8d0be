import { z } from 'zod'
import { options, requestKey } from '../../schema/index.ts'
import type { AlgorithmPlan } from '../plan.ts'
import { type AlgorithmName, CATALOGUE, describeAlgorithm } from './catalogue.ts'
import type { AlgorithmDescription, AlgorithmOption } from './description.ts'

type Value = string | number | boolean
type Alias = (typeof CATALOGUE)[number]['aliases'][number]
type Written = AlgorithmName | Alias
type WrittenWithOptions = { readonly name: Written } & { readonly [option: string]: Value }

const NAMES = CATALOGUE.flatMap(({ name, aliases }) => [name, ...aliases])

/** A name or alias of the catalogue, or a map of the name and the algorithm's own options. */
export const algorithm = z.union([
  z.enum(NAMES as [string, ...string[]]).meta({ title: 'algorithm' }),
  z.discriminatedUnion('name', CATALOGUE.map(describe) as unknown as [z.ZodObject<{ name: z.ZodEnum }>]),
]) as unknown as z.ZodType<string | { readonly name: string; readonly [option: string]: Value }, Written | WrittenWithOptions>

/** The canonical name, and every option that the algorithm has. */
export function normaliseAlgorithm(config: z.output<typeof algorithm>): AlgorithmPlan {
  const { name, ...given } = typeof config === 'string' ? { name: config } : config
  const description = describeAlgorithm(name)
  const defaults = Object.fromEntries((description?.options ?? []).map((option) => [option.name, option.default]))
  return { name: description?.name ?? name, options: { ...defaults, ...given } }
}

function describe({ name, aliases, summary, options: own }: AlgorithmDescription) {
  const members = own.map((option) => [
    option.name,
    member(option)
      .default(option.default as never)
      .describe(option.summary),
  ])
  return options({
    name: z.enum([name, ...aliases]).describe('Its name, or another name for it.'),
    ...Object.fromEntries(members),
  }).describe(summary)
}

function member(option: AlgorithmOption): z.ZodType<Value> {
  switch (option.kind) {
    case 'integer':
      return z.int().min(option.min).max(option.max)
    case 'number':
      return z.number().min(option.min).max(option.max)
    case 'boolean':
      return z.boolean()
    case 'text':
      return z.string().max(256)
    case 'choice':
      return choice(option.choices)
    case 'key':
      return requestKey
  }
}

/** Choices that are numbers may be written as such. */
function choice(choices: readonly string[]): z.ZodType<Value> {
  const texts = z.enum(choices as [string, ...string[]])
  if (!choices.every((each) => /^\d+$/.test(each))) return texts
  return z.union([texts, z.literal(choices.map(Number)).transform(String)])
}
