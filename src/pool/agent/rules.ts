import { always, type Report } from '../../schema/index.ts'
import { describeAlgorithm } from '../algorithm/catalogue.ts'

type Pool = Record<string, unknown>

/** What holds between a pool's algorithm, its agent and its check, and the places that its servers have for them. */
export const agentRules = always((pool, report) => {
  demandAgent(pool, report)
  demandPlaceOfAgent(pool, report)
  demandForPlaces(pool, report)
})

/** An agent never listens where its server does. */
function demandPlaceOfAgent({ servers, discover: finds, agent: asked }: Pool, report: Report): void {
  const { address, port } = (asked ?? {}) as { address?: unknown; port?: unknown }
  if (asked === undefined || address !== undefined || port !== undefined) return
  const isPlaced = finds === undefined && Array.isArray(servers) && servers.every((each) => each?.agent !== undefined)
  if (isPlaced) return
  report({ code: 'CONFIG_MISSING', message: 'an agent needs "port", here or in each server: it does not listen where its server does' }, [
    'agent',
  ])
}

/** A place of its own for something that the pool does not do is a mistake. */
function demandForPlaces({ servers, check: checked, agent: asked }: Pool, report: Report): void {
  if (!Array.isArray(servers)) return
  for (const [index, each] of servers.entries()) {
    for (const [option, common] of [
      ['check', checked],
      ['agent', asked],
    ] as const) {
      if (each?.[option] === undefined || common !== undefined) continue
      report({ code: 'CONFIG_MISSING', message: `"${option}" of a server needs "${option}" of its pool` }, ['servers', index, option])
    }
  }
}

/** Without reports it would only be a round robin. */
function demandAgent({ algorithm: chosen, agent: asked }: Pool, report: Report): void {
  const name = typeof chosen === 'string' ? chosen : (chosen as { name?: unknown } | undefined)?.name
  if (asked !== undefined || describeAlgorithm(String(name))?.name !== 'resource') return
  report({ code: 'CONFIG_MISSING', message: `algorithm "${name}" goes by what agents report and needs "agent"` }, ['algorithm'])
}
