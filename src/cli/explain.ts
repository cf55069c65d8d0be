import { Command } from 'commander'
import { formatDiagnostics, loadConfig, type Plan } from '../config/index.ts'
import { type Explanation, explainRequest } from '../control/index.ts'

interface ExplainFlags {
  readonly config: string
  readonly listener?: string
  readonly method: string
  readonly host?: string
  readonly header: string[]
  readonly alpn: string[]
  readonly client: string
  readonly from?: string
  readonly sni?: string
  readonly tlsVersion?: string
  readonly cipher?: string
  readonly ja3?: string
  readonly ja4?: string
  readonly subject?: string
}

export function explainCommand(): Command {
  return new Command('explain')
    .description('tell which route, pool and servers a request or connection would get, and why')
    .argument(
      '<target>',
      'path with query, or a whole URL; for a tcp listener the name that TLS asks for, "-" for none, as for udp and packet',
    )
    .requiredOption('-c, --config <file>', 'configuration file')
    .option('--listener <name>', 'listener that receives it, the first one without this')
    .option('-X, --method <method>', 'request method', 'GET')
    .option('--host <host>', 'Host of the request')
    .option('-H, --header <line>', '"Name: value"; may be given several times', collect, [])
    .option('--alpn <protocol>', 'for a tcp listener: protocol that TLS offers; may be given several times', collect, [])
    .option('--client <address>', 'address of the client', '127.0.0.1')
    .option('--from <address>', 'balancer in front whose header of the PROXY protocol names the client')
    .option('--sni <name>', 'name that TLS asks for; the host without this')
    .option('--tls-version <version>', 'TLSv1.2 or TLSv1.3; the highest that the listener speaks without this')
    .option('--cipher <name>', "cipher of TLS, by OpenSSL's name")
    .option('--ja3 <fingerprint>', "of the client's TLS")
    .option('--ja4 <fingerprint>', "of the client's TLS")
    .option('--subject <name>', "subject of the client's certificate: CN=alice,O=Test")
    .action(async (target: string, flags: ExplainFlags) => {
      const { plan, diagnostics, sourceOf } = await loadConfig(flags.config, { env: process.env })
      if (plan === undefined) {
        process.stderr.write(`${formatDiagnostics(diagnostics, { color: process.stderr.isTTY === true })}\n`)
        process.exitCode = 1
        return
      }
      const { listener: name, host, header: fields, alpn: protocols } = flags
      const explanation = explainRequest(plan, { ...flags, listener: name, target, fields, host, protocols, tls: tlsOf(flags) })
      process.stdout.write(`${formatExplanation(explanation, sourceOf)}\n`)
      const action = actionOf(plan, explanation)
      if (action === undefined) return
      process.stdout.write(`  action: ${describeAction(action)}\n`)
      for (const pool of poolsOf(action)) process.stdout.write(`${describePool(plan, pool, sourceOf)}\n`)
    })
}

function tlsOf({ sni: serverName, tlsVersion: version, cipher, ja3, ja4, subject: peerSubject }: ExplainFlags) {
  return Object.fromEntries(Object.entries({ serverName, version, cipher, ja3, ja4, peerSubject }).filter(([, fact]) => fact !== undefined))
}

interface Action {
  readonly kind: string
  readonly pool?: string
  readonly status?: number
  readonly branches?: readonly { readonly pool: string; readonly weight: number }[]
}

function poolsOf({ pool, branches = [] }: Action): string[] {
  return pool === undefined ? branches.map((branch) => branch.pool) : [pool]
}

function describePool(plan: Plan, name: string, sourceOf: (path: string) => string): string {
  const pool = plan.pools.find((each) => each.name === name) as Plan['pools'][number]
  const servers = pool.servers.map(({ name: server, weight, priority }) => `${server} (weight ${weight}, priority ${priority})`)
  const { persistence } = pool
  const session =
    persistence === undefined
      ? ''
      : persistence.kind === 'cookie'
        ? `, cookie ${persistence.name} first`
        : `, table by ${persistence.key.key} first`
  return `  pool ${name} (${sourceOf(`pools.${name}`)}): ${pool.algorithm.name} over ${servers.join(', ') || 'servers that are discovered'}${session}`
}

/** What the route that matches does; undefined where none does. */
function actionOf(plan: Plan, { listener: name, match }: Explanation): Action | undefined {
  const packet = plan.packet?.listeners.find((each) => each.name === name)
  if (packet !== undefined && match >= 0) return { kind: 'pool', pool: packet.pool }
  const listener = plan.listeners.find((each) => each.name === name)
  if (listener === undefined || match < 0) return undefined
  if (listener.kind === 'http') return listener.routes[match].action
  return { kind: 'pool', pool: listener.kind === 'tcp' ? listener.routes[match].pool : listener.pool }
}

function collect(text: string, all: string[]): string[] {
  return [...all, text]
}

function formatExplanation(explanation: Explanation, sourceOf: (path: string) => string): string {
  const lines = [`listener ${explanation.listener} (${sourceOf(`listeners.${explanation.listener}`)})`]
  for (const note of explanation.notes) lines.push(`  note: ${note}`)
  if (explanation.refusal !== undefined) {
    const { status, sentence } = explanation.refusal
    return [...lines, `  ${status === undefined ? 'reset' : `refused with ${status}`}: ${sentence}`].join('\n')
  }
  for (const route of explanation.routes) {
    lines.push(`  ${route.matches ? '✔' : '✖'} ${route.id} (${sourceOf(route.id)})`)
    for (const predicate of route.predicates)
      lines.push(`      ${predicate.holds ? '✔' : '✖'} ${predicate.predicate}: wants ${predicate.expected}, has ${predicate.actual}`)
  }
  if (explanation.match < 0) lines.push('  no route matches: the answer is 404, a connection is reset, a packet dropped')
  return lines.join('\n')
}

function describeAction(action: Action): string {
  if (action.branches !== undefined) {
    const whole = action.branches.reduce((sum, { weight }) => sum + weight, 0)
    return `split: ${action.branches.map(({ pool, weight }) => `pool ${pool} ${weight} of ${whole}`).join(', ')}`
  }
  return action.kind === 'pool' ? `pool ${action.pool}` : `${action.kind} ${action.status}`
}
