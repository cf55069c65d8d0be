import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { findProgram } from '../../scripts/test/packages.ts'

export interface Flags {
  readonly seconds: number
  readonly rounds: number
  readonly cases: readonly string[]
  readonly contenders: readonly string[]
  /** The file for the results, '' for the usual one; undefined where none is wanted. */
  readonly json: string | undefined
}

/** What a benchmark has to choose from, and the programs it needs. */
export interface Choices {
  readonly cases: readonly string[]
  readonly contenders: readonly string[]
  readonly programs: readonly string[]
}

/** Reads [--json [FILE]] [--seconds N] [--rounds N] [--cases a,b] [--contenders a,b]. Ends the process where they or the machine will not do. */
export function readFlags(bench: string, choices: Choices): Flags {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '5' },
      cases: { type: 'string', default: choices.cases.join(',') },
      contenders: { type: 'string', default: choices.contenders.join(',') },
    },
  })
  const fail = (why: string): never => {
    console.error(`bench ${bench}: ${why}`)
    process.exit(2)
  }
  const choose = (text: string, known: readonly string[]): string[] => {
    const names = text.split(',')
    const unknown = names.filter((name) => !known.includes(name))
    if (unknown.length > 0) fail(`unknown: ${unknown.join(', ')}; there are ${known.join(', ')}`)
    return names
  }
  const count = (name: 'seconds' | 'rounds'): number => {
    const number = Number(values[name])
    return Number.isInteger(number) && number > 0 ? number : fail(`--${name} takes a whole number above 0`)
  }
  if (positionals.length > (values.json ? 1 : 0)) fail(`unknown: ${positionals.join(' ')}`)
  const missing = ['taskset', ...choices.programs].filter((name) => findProgram(name) === undefined)
  if (missing.length > 0) fail(`not installed: ${missing.join(', ')}`)
  if (cpus().length < 2) fail('two cores are needed, one for the proxy and one for the load')
  return {
    seconds: count('seconds'),
    rounds: count('rounds'),
    cases: choose(values.cases, choices.cases),
    contenders: choose(values.contenders, choices.contenders),
    json: values.json ? (positionals[0] ?? '') : undefined,
  }
}
