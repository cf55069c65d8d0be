import { Command } from 'commander'
import { formatDiagnostics, loadConfig } from '../config/index.ts'
import { type Explanation, explainRequest } from '../control/index.ts'

interface ExplainFlags {
  readonly config: string
  readonly listener?: string
  readonly method: string
  readonly host?: string
  readonly header: string[]
  readonly client: string
}

export function explainCommand(): Command {
  return new Command('explain')
    .description('tell which route, pool and servers a request would get, and why')
    .argument('<target>', 'path with query, or a whole URL')
    .requiredOption('-c, --config <file>', 'configuration file')
    .option('--listener <name>', 'listener that receives it, the first one without this')
    .option('-X, --method <method>', 'request method', 'GET')
    .option('--host <host>', 'Host of the request')
    .option('-H, --header <line>', '"Name: value"; may be given several times', (line: string, all: string[]) => [...all, line], [])
    .option('--client <address>', 'address of the client', '127.0.0.1')
    .action(async (target: string, flags: ExplainFlags) => {
      const { plan, diagnostics, sourceOf } = await loadConfig(flags.config, { env: process.env })
      if (plan === undefined) {
        process.stderr.write(`${formatDiagnostics(diagnostics, { color: process.stderr.isTTY === true })}\n`)
        process.exitCode = 1
        return
      }
      const explanation = explainRequest(plan, { ...flags, listener: flags.listener, target, fields: flags.header, host: flags.host })
      const listener = plan.listeners.find(({ name }) => name === explanation.listener)
      const route = explanation.match < 0 || listener?.kind !== 'http' ? undefined : listener.routes[explanation.match]
      process.stdout.write(`${formatExplanation(explanation, sourceOf)}\n`)
      if (route === undefined) return
      process.stdout.write(`  action: ${describeAction(route.action)}\n`)
      const action = route.action
      if (action.kind !== 'pool') return
      const pool = plan.pools.find(({ name }) => name === action.pool)
      process.stdout.write(
        `  pool ${action.pool} (${sourceOf(`pools.${action.pool}`)}): ${pool?.algorithm.name} over ${pool?.servers.map(({ name, weight, priority }) => `${name} (weight ${weight}, priority ${priority})`).join(', ') || 'servers that are discovered'}\n`,
      )
    })
}

function formatExplanation(explanation: Explanation, sourceOf: (path: string) => string): string {
  const lines = [`listener ${explanation.listener} (${sourceOf(`listeners.${explanation.listener}`)})`]
  if (explanation.refusal !== undefined)
    return [...lines, `  refused with ${explanation.refusal.status}: ${explanation.refusal.sentence}`].join('\n')
  for (const route of explanation.routes) {
    lines.push(`  ${route.matches ? '✔' : '✖'} ${route.id} (${sourceOf(route.id)})`)
    for (const predicate of route.predicates)
      lines.push(`      ${predicate.holds ? '✔' : '✖'} ${predicate.predicate}: wants ${predicate.expected}, has ${predicate.actual}`)
  }
  if (explanation.match < 0) lines.push('  no route matches: the answer is 404')
  return lines.join('\n')
}

function describeAction(action: { readonly kind: string; readonly pool?: string; readonly status?: number }): string {
  return action.kind === 'pool' ? `pool ${action.pool}` : `${action.kind} ${action.status}`
}
