import type { z } from 'zod'
import { type Complaint, complaintOf, nearest, type Path, suggest } from '../schema/index.ts'
import type { Finding } from './diagnostic.ts'
import { accepts, choicesOf, definitionOf, describeType, keysOf, schemaAt, unwrap, valueAt } from './schema-walk.ts'

type Issue = z.core.$ZodIssue

/** What zod found in a value, in words: each unknown key by itself with its like, unions reduced to the branch that was meant. */
export function findingsOf(error: z.ZodError, schema: z.ZodType, value: unknown): Finding[] {
  const translator = new Translator(schema, value)
  return error.issues.flatMap((issue) => translator.translate(issue, []))
}

class Translator {
  readonly #schema: z.ZodType
  readonly #root: unknown

  constructor(schema: z.ZodType, root: unknown) {
    this.#schema = schema
    this.#root = root
  }

  translate(issue: Issue, base: Path): Finding[] {
    const path = [...base, ...(issue.path as (string | number)[])]
    const value = valueAt(this.#root, path)
    switch (issue.code) {
      case 'custom':
        return [about(path, complaintOf(issue) ?? { code: 'CONFIG_INVALID_VALUE', message: issue.message })]
      case 'unrecognized_keys':
        return issue.keys.map((key) => this.#unknownKey(path, key))
      case 'invalid_union':
        return this.#union(issue, path, value)
      case 'invalid_type':
        return [this.#wrongType(path, value)]
      case 'invalid_value':
        return [
          value === undefined || typeof value === 'object'
            ? this.#wrongType(path, value)
            : unknownValue(path, value, issue.values.map(String)),
        ]
      case 'invalid_key':
        return [{ path, part: 'key', complaint: keyComplaint(issue) }]
      case 'too_big':
      case 'too_small':
        return [
          about(path, {
            code: 'CONFIG_OUT_OF_RANGE',
            message: /^(Too|Invalid)/.test(issue.message) ? outOfRange(issue, value) : issue.message,
          }),
        ]
      default:
        return [about(path, { code: 'CONFIG_INVALID_VALUE', message: issue.message })]
    }
  }

  #union(issue: z.core.$ZodIssueInvalidUnion, path: Path, value: unknown): Finding[] {
    const discriminator = 'discriminator' in issue ? String(issue.discriminator) : undefined
    if (discriminator !== undefined) {
      const options = schemaAt(this.#schema, path, undefined)
      return typeof value === 'string' ? [unknownValue(path, value, choicesOf(options))] : [this.#wrongType(path, value)]
    }
    const branch = meantBranch(issue.errors)
    if (branch !== undefined) return branch.flatMap((inner) => this.translate(inner, path))
    const schema = schemaAt(this.#schema, path, this.#root)
    const choices = choicesOf(schema)
    const isChoice = choices.length > 0 && !accepts(schema, 'string') && !accepts(schema, 'number')
    const isMeantAsChoice = typeof value === 'string' && (isChoice || nearest(value, choices) !== undefined)
    return [isMeantAsChoice ? unknownValue(path, value, choices) : this.#wrongType(path, value)]
  }

  #wrongType(path: Path, value: unknown): Finding {
    const schema = schemaAt(this.#schema, path, this.#root)
    const wanted = schema === undefined ? 'something else' : describeType(schema)
    if (value === undefined) {
      const name = path.at(-1)
      if (typeof name === 'number')
        return about(path, { code: 'CONFIG_WRONG_TYPE', message: `expected ${wanted}, found an item without a value` })
      return { path, part: 'key', complaint: { code: 'CONFIG_MISSING', message: `"${name ?? 'configuration'}" is required: ${wanted}` } }
    }
    const hint = schema && wayToWrite(schema, wanted, value)
    return about(path, { code: 'CONFIG_WRONG_TYPE', message: `expected ${wanted}, found ${describeValue(value)}`, hint })
  }

  #unknownKey(parent: Path, key: string): Finding {
    const value = valueAt(this.#root, parent)
    const known = keysOf(schemaAt(this.#schema, parent, this.#root), value)
    const given = typeof value === 'object' && value !== null ? Object.keys(value) : []
    const free = known.filter((name) => !given.includes(name))
    const like = nearest(key, free)
    const hint = noKey(key) ?? (like === undefined ? this.#elsewhere(key, known) : `did you mean "${like}"?`)
    return { path: [...parent, key], part: 'key', complaint: { code: 'CONFIG_UNKNOWN_KEY', message: `unknown option "${key}"`, hint } }
  }

  /** Where an option of that name is, if not here: people put it one level too high or low. */
  #elsewhere(key: string, known: readonly string[]): string | undefined {
    const home = PLACES.find((path) => keysOf(schemaAt(this.#schema, path)).includes(key))
    if (home !== undefined) return `it is an option of ${describePlace(home)}`
    return known.length > 0 && known.length <= 12 ? `known here: ${known.join(', ')}` : undefined
  }
}

const PLACES: readonly Path[] = [
  [],
  ['listeners', ''],
  ['listeners', '', 'http'],
  ['listeners', '', 'tls'],
  ['listeners', '', 'tls', 'certificates'],
  ['listeners', '', 'http', 'routes', 0],
  ['listeners', '', 'http', 'routes', 0, 'match'],
  ['pools', ''],
  ['pools', '', 'servers', 0],
  ['pools', '', 'check'],
  ['pools', '', 'check', 'http'],
]

function describePlace(path: Path): string {
  if (path.length === 0) return 'the top level'
  return path
    .map((step) => (step === '' ? 'NAME' : step))
    .join('.')
    .replace('.0', '[]')
}

function noKey(key: string): string | undefined {
  if (key === '<<') return 'YAML 1.2 has no merge keys'
  return key.startsWith('//') || key.startsWith('/*') ? 'a comment begins with "#"' : undefined
}

/** How to write what a value of another type was meant to say, where that can be told. */
function wayToWrite(schema: z.ZodType, wanted: string, value: unknown): string | undefined {
  if (typeof value === 'number' && /\bduration\b/.test(wanted)) return `which unit: "${value}s", "${value}ms"?`
  if (typeof value === 'number' && /\baddress\b/.test(wanted)) return `with the host and a colon: "127.0.0.1:${value}"`
  if (typeof value === 'string' && /\bnumber\b/.test(wanted) && /^\d+$/.test(value)) return `without quotes: ${value}`
  if (wanted !== 'a map' || typeof value === 'object') return undefined
  const members = Object.entries(definitionOf(unwrap(schema)).shape ?? {})
  const kind = typeof value as 'string' | 'number' | 'boolean'
  const [only, another] = members.filter(([, member]) => !member.safeParse(undefined).success)
  if (only !== undefined && another === undefined && only[1].safeParse(value).success)
    return `perhaps { ${only[0]}: ${JSON.stringify(value)} }`
  if (kind === 'number' && members.some(([name]) => name === 'status')) return `perhaps { status: ${value} }`
  const names = members.map(([name]) => name)
  return names.length > 0 && names.length <= MAX_LISTED ? `a map of ${names.join(', ')}` : undefined
}

const MAX_LISTED = 16

function about(path: Path, complaint: Complaint): Finding {
  return { path, part: 'value', complaint }
}

function unknownValue(path: Path, value: unknown, known: readonly string[]): Finding {
  const option = path.findLast((step) => typeof step === 'string') ?? 'value'
  const what = typeof path.at(-1) === 'number' ? 'value' : option
  const hint = suggest(String(value), known, (name) => (typeof value === 'string' ? `"${name}"` : name))
  return about(path, { code: 'CONFIG_UNKNOWN_VALUE', message: `unknown ${what} ${JSON.stringify(value)}`, hint })
}

function keyComplaint(issue: z.core.$ZodIssueInvalidKey): Complaint {
  const [inner] = issue.issues
  return (inner && complaintOf(inner as Issue)) ?? { code: 'CONFIG_INVALID_NAME', message: inner?.message ?? 'this is not a valid key' }
}

/** The branch of a union whose type the value has: one that got past the first look. */
function meantBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const isOtherType = (issue: Issue): boolean =>
    issue.path.length === 0 &&
    (issue.code === 'invalid_type' || (issue.code === 'invalid_value' && branches.length > 1) || isMismatch(issue))
  const meant = branches.filter((issues) => issues.length > 0 && !issues.some(isOtherType))
  return meant.length === 0 ? undefined : meant.reduce((a, b) => (a.length <= b.length ? a : b))
}

/** A union inside of a union of which no branch was meant. */
function isMismatch(issue: Issue): boolean {
  return issue.code === 'invalid_union' && !('discriminator' in issue) && meantBranch(issue.errors) === undefined
}

function outOfRange(issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall, value: unknown): string {
  const limit = Number(issue.code === 'too_big' ? issue.maximum : issue.minimum)
  const bound = `at ${issue.code === 'too_big' ? 'most' : 'least'} ${limit}`
  if (typeof value === 'number') return `must be ${bound}, not ${value}`
  const unit = Array.isArray(value) ? 'item' : 'character'
  return `must have ${bound} ${unit}${limit === 1 ? '' : 's'}`
}

function describeValue(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (typeof value === 'string') return `text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : `a ${typeof value}`
}
