import { z } from 'zod'
import { complain, type Path } from './complain.ts'

/** A map of options. Unknown ones are errors. */
export const options = z.strictObject

/** A list, for which a single item may stand alone. */
export function oneOrMore<T extends z.ZodType>(item: T) {
  return z.union([item.transform((one) => [one]), z.array(item).min(1)])
}

type Defaulted = z.ZodPrefault<z.ZodType> | z.ZodDefault<z.ZodType>
type Inner<T> = T extends z.ZodPrefault<infer I> ? I : T extends z.ZodDefault<infer I> ? I : never

/** The same options further down, where what is not given is inherited instead of defaulted. */
export function inherited<S extends Readonly<Record<string, Defaulted>>>(shape: S): { [K in keyof S]: z.ZodOptional<Inner<S[K]>> } {
  const entries = Object.entries(shape).map(([key, option]) => {
    const inner = option.unwrap() as z.ZodType
    return [key, inner.optional().describe(option.meta()?.description ?? '')]
  })
  return Object.fromEntries(entries) as { [K in keyof S]: z.ZodOptional<Inner<S[K]>> }
}

/**
 * Demands one, and only one, of the keys. It is checked even where other members are wrong, so that all errors come at once.
 * `what` is the noun of the sentence: "a route".
 */
export function exactlyOne(what: string, keys: readonly string[]) {
  return always((value: Record<string, unknown>, report) => {
    const given = keys.filter((key) => value[key] !== undefined)
    if (given.length === 1) return
    const list = keys
      .map((key) => `"${key}"`)
      .join(', ')
      .replace(/, ([^,]*)$/, ' or $1')
    if (given.length === 0) report({ code: 'CONFIG_MISSING', message: `${what} needs one of ${list}` })
    for (const key of given.slice(1)) {
      report({ code: 'CONFIG_CONFLICT', message: `${what} has one of ${list}, and this one has "${given[0]}" already` }, [key])
    }
  })
}

export type Report = (complaint: Parameters<typeof complain>[1], path?: Path) => void

/** A check over the whole of an object that runs even where members are wrong; those are whatever was written. */
export function always(check: (value: Record<string, unknown>, report: Report) => void) {
  const refinement = z.superRefine<unknown>((value, context) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return
    check(value as Record<string, unknown>, (complaint, path) => complain(context, complaint, path))
  })
  refinement._zod.def.when = () => true
  return refinement as z.core.$ZodCheck<unknown>
}

/** The members that are not undefined: what a level of inheritance says. */
export function given<T extends object>(values: T | undefined): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values ?? {}).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
