import type { ListenerPlan } from '../proxy/config.ts'
import type { ConfigCode, Path } from '../schema/index.ts'
import type { Finding } from './diagnostic.ts'
import type { Plan } from './plan.ts'

/** Certificates that are to be ordered: from whom, and whether the challenge can do it. */
export function checkAcme(plan: Plan): Finding[] {
  const { acme } = plan
  const ordered = plan.listeners.flatMap((listener) =>
    (listener.tls?.certificates ?? []).flatMap((each, index) =>
      each.acme === undefined ? [] : [[pathOf(listener, index), each.acme] as const],
    ),
  )
  if (acme === undefined) return ordered.slice(0, 1).map(([path]) => missing(path))
  const findings = ordered.flatMap(([path, { names, challenge }]): Finding[] => {
    const wildcard = names.find((name) => name.startsWith('*.'))
    if (wildcard !== undefined && challenge !== 'dns-01')
      return [
        fail(
          [...path, 'acme'],
          'CONFIG_CONFLICT',
          `${wildcard} is a wildcard, which ${challenge} cannot prove`,
          'challenge: dns-01, with acme.dns',
        ),
      ]
    if (challenge === 'dns-01' && acme.dns === undefined)
      return [fail([...path, 'acme'], 'CONFIG_MISSING', 'dns-01 needs the command "acme.dns"')]
    if (challenge === 'http-01' && !plan.listeners.some(({ kind }) => kind === 'http'))
      return [fail([...path, 'acme'], 'CONFIG_CONFLICT', 'http-01 needs a listener with "http" that the authority reaches at port 80')]
    return []
  })
  if (ordered.length > 0) return findings
  const message = 'no listener has a certificate with "acme"'
  return [{ path: ['acme'], part: 'key', complaint: { severity: 'warning', code: 'CONFIG_UNUSED', message } }]
}

function pathOf({ name, tls }: ListenerPlan, index: number): Path {
  // A single certificate may stand without a list.
  const position = tls?.certificates.length === 1 ? [] : [index]
  return ['listeners', name, 'tls', 'certificates', ...position]
}

function missing(path: Path): Finding {
  const hint = 'acme: { agreeTerms: true, storage: /var/lib/evener/acme }'
  return fail([...path, 'acme'], 'CONFIG_MISSING', 'a certificate by ACME needs the top-level "acme"', hint)
}

function fail(path: Path, code: ConfigCode, message: string, hint?: string): Finding {
  return { path, part: 'value', complaint: { code, message, hint } }
}
