import { X509Certificate } from 'node:crypto'

/** The names that a certificate is for, lower case: DNS names and addresses of subjectAltName, else the subject's CN. */
export function certificateNames(pem: string): string[] {
  const certificate = new X509Certificate(pem)
  const names = (certificate.subjectAltName ?? '')
    .split(', ')
    .filter((each) => each.startsWith('DNS:'))
    .map((each) => each.slice(4).toLowerCase())
  if (names.length > 0) return names
  const common = /^CN=(.+)$/m.exec(certificate.subject ?? '')?.[1]
  return common === undefined ? [] : [common.toLowerCase()]
}

/**
 * Which certificates serve a name: those for the exact name first, then those whose wildcard covers it (one label, RFC 9525
 * §6.3), in the order given. Certificates for the same name stand side by side if their keys are of different types.
 */
export class NameIndex {
  readonly #exact = new Map<string, number[]>()
  /** By what follows "*.". */
  readonly #wildcard = new Map<string, number[]>()
  /** Certificates of an unknown name: the first, and those that share a name with it. */
  readonly fallback: readonly number[]

  constructor(names: readonly (readonly string[])[]) {
    for (const [index, list] of names.entries()) {
      for (const name of list) {
        const isWildcard = name.startsWith('*.')
        const map = isWildcard ? this.#wildcard : this.#exact
        const key = isWildcard ? name.slice(2) : name
        map.set(key, [...(map.get(key) ?? []), index])
      }
    }
    const [first = []] = names
    this.fallback = names.flatMap((list, index) => (index === 0 || list.some((name) => first.includes(name)) ? [index] : []))
  }

  /** Positions of the certificates for a name as SNI has it; undefined where there is none. */
  find(name: string): readonly number[] | undefined {
    const exact = this.#exact.get(name)
    const dot = name.indexOf('.')
    const wildcard = dot === -1 ? undefined : this.#wildcard.get(name.slice(dot + 1))
    if (exact === undefined || wildcard === undefined) return exact ?? wildcard
    return [...exact, ...wildcard]
  }
}
