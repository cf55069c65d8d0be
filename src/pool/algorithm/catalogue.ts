/**
 * Every algorithm as the configuration knows it: names, options with their limits, and where it works. Plain data; how they
 * choose is in registry.ts.
 */
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

const KEY: AlgorithmOption = {
  name: 'key',
  kind: 'key',
  default: 'source',
  summary: 'What is hashed: source, destination, sni, uri, header:NAME, cookie:NAME or query:NAME.',
}
const SEED: AlgorithmOption = {
  name: 'seed',
  kind: 'text',
  default: '',
  summary: "Seeds the hash; the pool's name where empty. Keep it secret where clients must not be able to choose their server.",
}
const PREFIXES: readonly AlgorithmOption[] = [
  { name: 'prefixLength4', kind: 'integer', default: 32, min: 1, max: 32, summary: 'Bits of an IPv4 address that count.' },
  { name: 'prefixLength6', kind: 'integer', default: 64, min: 1, max: 128, summary: 'Bits of an IPv6 address that count.' },
]
const URI: readonly AlgorithmOption[] = [
  { name: 'depth', kind: 'integer', default: 0, min: 0, max: 64, summary: 'Path segments that count; 0 for all.' },
  { name: 'withQuery', kind: 'boolean', default: false, summary: 'Whether the query counts too.' },
]
const KEYED: readonly AlgorithmOption[] = [KEY, SEED, ...PREFIXES, ...URI]
const DECAY: AlgorithmOption = {
  name: 'decay',
  kind: 'integer',
  default: 10_000,
  min: 100,
  max: 3_600_000,
  summary: 'Milliseconds in which what is known of an idle server loses half of its worth, so that it is tried again.',
}
const DRAWS: AlgorithmOption = { name: 'draws', kind: 'integer', default: 2, min: 2, max: 8, summary: 'Servers drawn to compare.' }
const CAPACITY: AlgorithmOption = {
  name: 'capacity',
  kind: 'integer',
  default: 16,
  min: 1,
  max: 65_535,
  summary: 'Active requests for each unit of weight above which a server counts as overloaded.',
}

export const CATALOGUE = [
  { name: 'round-robin', aliases: ['rr'], weighted: false, by: 'turn', ways: 'PDX', options: [], summary: 'One after the other.' },
  {
    name: 'weighted-round-robin',
    aliases: ['wrr'],
    weighted: true,
    by: 'turn',
    ways: 'PDX',
    options: [],
    summary: 'One after the other, each as often as its weight says, without bursts.',
  },
  { name: 'random', aliases: [], weighted: false, by: 'chance', ways: 'PDX', options: [], summary: 'Any.' },
  {
    name: 'weighted-random',
    aliases: [],
    weighted: true,
    by: 'chance',
    ways: 'PDX',
    options: [],
    summary: 'Any, as likely as its weight says.',
  },
  {
    name: 'two-choices',
    aliases: ['p2c', 'twos'],
    weighted: true,
    by: 'load',
    ways: 'PX',
    options: [DRAWS],
    summary: 'Draws two by weight and takes the one with fewer active requests for its weight.',
  },
  {
    name: 'least-connections',
    aliases: ['lc'],
    weighted: false,
    by: 'load',
    ways: 'PX',
    options: [],
    summary: 'The one with the fewest active requests.',
  },
  {
    name: 'weighted-least-connections',
    aliases: ['wlc'],
    weighted: true,
    by: 'load',
    ways: 'PX',
    options: [],
    summary: 'The one with the fewest active requests for its weight.',
  },
  {
    name: 'shortest-expected-delay',
    aliases: ['sed'],
    weighted: true,
    by: 'load',
    ways: 'PX',
    options: [],
    summary: 'The one that would have the fewest active requests for its weight with this one added.',
  },
  {
    name: 'never-queue',
    aliases: ['nq'],
    weighted: true,
    by: 'load',
    ways: 'PX',
    options: [],
    summary: 'An idle one; when there is none, as shortest-expected-delay.',
  },
  {
    name: 'least-sessions',
    aliases: [],
    weighted: true,
    by: 'load',
    ways: 'P',
    options: [],
    summary: 'The one with the fewest entries in the persistence table for its weight.',
  },
  {
    name: 'fastest',
    aliases: ['least-time'],
    weighted: true,
    by: 'load',
    ways: 'PD',
    options: [DECAY],
    summary: 'The one with the least response time, counted once more for each active request.',
  },
  {
    name: 'peak-ewma',
    aliases: ['ewma'],
    weighted: true,
    by: 'load',
    ways: 'P',
    options: [DRAWS, DECAY],
    summary:
      'Draws two by weight and takes the one with less response time times active requests; a slow answer counts at once, a fast one slowly.',
  },
  {
    name: 'observed',
    aliases: [],
    weighted: true,
    by: 'load',
    ways: 'P',
    options: [],
    summary: 'By weight, and half as much again to those with fewer active requests than the average over time.',
  },
  {
    name: 'predictive',
    aliases: [],
    weighted: true,
    by: 'load',
    ways: 'P',
    options: [],
    summary: 'As observed, and more to those whose load falls than to those whose load rises.',
  },
  {
    name: 'resource',
    aliases: ['dynamic-ratio'],
    weighted: true,
    by: 'turn',
    ways: 'PDX',
    options: [],
    summary: 'By weight times what the agent on the server says is left of CPU, memory and connections.',
  },
  {
    name: 'source-hash',
    aliases: ['sh', 'ip-hash', 'ip_hash'],
    weighted: true,
    by: 'key',
    ways: 'PDX',
    options: [SEED, ...PREFIXES],
    summary: "By the client's address.",
  },
  {
    name: 'destination-hash',
    aliases: ['dh'],
    weighted: false,
    by: 'key',
    ways: 'PX',
    options: [SEED, ...PREFIXES],
    summary: 'By the address that the client connected to.',
  },
  {
    name: 'uri-hash',
    aliases: ['uri'],
    weighted: true,
    by: 'key',
    ways: 'PD',
    options: [SEED, ...URI],
    summary: 'By the path, or the first segments of it, or path and query.',
  },
  { name: 'hash', aliases: [], weighted: true, by: 'key', ways: 'P', options: KEYED, summary: 'By any key of the request.' },
  {
    name: 'ring',
    aliases: ['consistent-hash', 'ketama'],
    weighted: true,
    by: 'key',
    ways: 'PDX',
    options: [
      ...KEYED,
      { name: 'virtualNodes', kind: 'integer', default: 160, min: 1, max: 4096, summary: 'Points on the ring for each unit of weight.' },
      {
        name: 'hash',
        kind: 'choice',
        default: 'murmur3',
        choices: ['murmur3', 'crc32'],
        summary: "crc32 places servers and keys where nginx's `hash … consistent` does.",
      },
      {
        name: 'loadFactor',
        kind: 'number',
        default: 0,
        min: 0,
        max: 100,
        summary:
          'No server gets more than this many times its share of active requests; the rest goes on along the ring. 0 for no bound, else above 1.',
      },
    ],
    summary: 'By a key on a ring of virtual nodes: a server that comes or goes moves only its share of the keys.',
  },
  {
    name: 'maglev',
    aliases: ['mh'],
    weighted: true,
    by: 'key',
    ways: 'PDX',
    options: [
      ...KEYED,
      {
        name: 'tableSize',
        kind: 'choice',
        default: '65537',
        choices: ['251', '509', '1021', '2039', '4093', '8191', '16381', '32749', '65537', '131071'],
        summary: 'Places in the table; more than 100 for each server keep the shares within 1 %.',
      },
    ],
    summary: 'By a key in a table that is spread evenly: constant time, and hardly any key moves when servers change.',
  },
  { name: 'first', aliases: [], weighted: false, by: 'order', ways: 'PX', options: [], summary: 'The first that is not full.' },
  {
    name: 'weighted-failover',
    aliases: ['fo'],
    weighted: false,
    by: 'order',
    ways: 'PDX',
    options: [],
    summary: 'The one with the highest weight that is available.',
  },
  {
    name: 'overflow',
    aliases: ['ovf'],
    weighted: false,
    by: 'order',
    ways: 'PX',
    options: [],
    summary: 'The one with the highest weight, until its active requests exceed it; then the next.',
  },
  {
    name: 'locality',
    aliases: ['lblc'],
    weighted: true,
    by: 'key',
    ways: 'PX',
    options: [...KEYED, CAPACITY],
    summary: 'Keeps a key on its server until that is overloaded while another is not; new keys go where the load is least.',
  },
  {
    name: 'locality-replicated',
    aliases: ['lblcr'],
    weighted: true,
    by: 'key',
    ways: 'PX',
    options: [
      ...KEYED,
      CAPACITY,
      {
        name: 'settle',
        kind: 'integer',
        default: 86_400,
        min: 1,
        max: 604_800,
        summary: 'Seconds after which a key that has several servers loses the most loaded one.',
      },
    ],
    summary: 'As locality, with several servers for a key that is too much for one.',
  },
] as const satisfies readonly AlgorithmDescription[]

export type AlgorithmName = (typeof CATALOGUE)[number]['name']

/** By canonical name or alias. */
export function describeAlgorithm(name: string): (AlgorithmDescription & { readonly name: AlgorithmName }) | undefined {
  return (CATALOGUE as readonly (AlgorithmDescription & { readonly name: AlgorithmName })[]).find(
    (entry) => entry.name === name || entry.aliases.includes(name),
  )
}
