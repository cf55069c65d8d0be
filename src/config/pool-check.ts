import { nearest, type Path } from '../schema/index.ts'
import type { Finding } from './diagnostic.ts'
import type { Plan } from './plan.ts'

/** Where a pool is named, and which. */
export type PoolReference = readonly [path: Path, pool: string]

/** Names of pools that nobody has, and pools that nobody names. */
export function checkPoolReferences(references: readonly PoolReference[], names: readonly string[]): Finding[] {
  const used = new Set(references.map(([, pool]) => pool))
  const unknown = references.filter(([, pool]) => !names.includes(pool)).map(([path, pool]) => unknownPool(path, pool, names))
  const unused = names
    .filter((name) => !used.has(name))
    .map((name): Finding => {
      const complaint = { severity: 'warning', code: 'CONFIG_UNUSED', message: `no route uses pool "${name}"` } as const
      return { path: ['pools', name], part: 'key', complaint }
    })
  return [...unknown, ...unused]
}

/** A request that no server can take must not go round in a circle. */
export function checkSorryPools(plan: Plan): Finding[] {
  const next = new Map(plan.pools.flatMap(({ name, sorry }) => (sorry?.kind === 'pool' ? [[name, sorry.pool]] : [])))
  return plan.pools
    .filter(({ name }) => {
      const seen = new Set<string>()
      for (let at = next.get(name); at !== undefined && !seen.has(at); at = next.get(at)) {
        if (at === name) return true
        seen.add(at)
      }
      return false
    })
    .map(({ name }): Finding => {
      const message = `pool "${name}" would come back to itself when no server is available`
      return { path: ['pools', name, 'sorry', 'pool'], part: 'value', complaint: { code: 'CONFIG_CONFLICT', message } }
    })
}

export function unknownPool(path: Path, pool: string, names: readonly string[]): Finding {
  const like = nearest(pool, names)
  const some = names.length > 8 ? undefined : `there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}`
  const others = names.length === 0 ? 'there are no pools' : some
  const message = `there is no pool ${JSON.stringify(pool)}`
  return {
    path,
    part: 'value',
    complaint: { code: 'CONFIG_UNKNOWN_REFERENCE', message, hint: like === undefined ? others : `did you mean "${like}"?` },
  }
}
