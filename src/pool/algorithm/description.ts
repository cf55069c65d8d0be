/** An algorithm as the configuration knows it. */
export interface AlgorithmDescription {
  readonly name: string
  readonly aliases: readonly string[]
  readonly summary: string
  /** Whether weights are respected; the others treat all servers alike. */
  readonly weighted: boolean
  /** What decides: a turn, chance, load, a key of the request, or a fixed order. */
  readonly by: 'turn' | 'chance' | 'load' | 'key' | 'order'
  /** P proxy, D DNS and redirect, X packet plane. */
  readonly ways: string
  readonly options: readonly AlgorithmOption[]
}

export type AlgorithmOption = { readonly name: string; readonly summary: string } & (
  | { readonly kind: 'integer' | 'number'; readonly default: number; readonly min: number; readonly max: number }
  | { readonly kind: 'choice'; readonly default: string; readonly choices: readonly string[] }
  | { readonly kind: 'boolean'; readonly default: boolean }
  | { readonly kind: 'text'; readonly default: string }
  /** See parseRequestKey(). */
  | { readonly kind: 'key'; readonly default: string }
)

// Options that several algorithms have.

const KEY: AlgorithmOption = {
  name: 'key',
  kind: 'key',
  default: 'source',
  summary: 'What is hashed: source, destination, sni, uri, header:NAME, cookie:NAME or query:NAME.',
}
export const SEED: AlgorithmOption = {
  name: 'seed',
  kind: 'text',
  default: '',
  summary: "Seeds the hash; the pool's name where empty. Keep it secret where clients must not be able to choose their server.",
}
export const PREFIXES: readonly AlgorithmOption[] = [
  { name: 'prefixLength4', kind: 'integer', default: 32, min: 1, max: 32, summary: 'Bits of an IPv4 address that count.' },
  { name: 'prefixLength6', kind: 'integer', default: 64, min: 1, max: 128, summary: 'Bits of an IPv6 address that count.' },
]
export const URI: readonly AlgorithmOption[] = [
  { name: 'depth', kind: 'integer', default: 0, min: 0, max: 64, summary: 'Path segments that count; 0 for all.' },
  { name: 'withQuery', kind: 'boolean', default: false, summary: 'Whether the query counts too.' },
]
export const KEYED: readonly AlgorithmOption[] = [KEY, SEED, ...PREFIXES, ...URI]
export const DECAY: AlgorithmOption = {
  name: 'decay',
  kind: 'integer',
  default: 10_000,
  min: 100,
  max: 3_600_000,
  summary: 'Milliseconds in which what is known of an idle server loses half of its worth, so that it is tried again.',
}
export const DRAWS: AlgorithmOption = { name: 'draws', kind: 'integer', default: 2, min: 2, max: 8, summary: 'Servers drawn to compare.' }
export const CAPACITY: AlgorithmOption = {
  name: 'capacity',
  kind: 'integer',
  default: 16,
  min: 1,
  max: 65_535,
  summary: 'Active requests for each unit of weight above which a server counts as overloaded.',
}
