import type { AcmeOrders, OrderStatus } from './acme/orders.ts'
import { type AdminAnswer, type AdminHandler, type AdminRequest, failure } from './admin/server.ts'
import type { CertificateStatus } from './certificates.ts'
import type { StapleStatus } from './ocsp/staples.ts'

/** A certificate as the admin API shows it: what is served, and how it stands with its renewal. Times are ISO. */
export interface CertificateAnswer extends CertificateStatus {
  /** null where it is not ordered by Evener. */
  readonly acme: OrderAnswer | null
  /** null where no response is fetched. */
  readonly ocsp: StapleAnswer | null
}

export interface OrderAnswer {
  readonly names: readonly string[]
  readonly state: OrderStatus['state']
  readonly nextOrderAt: string | null
  readonly lastSuccessAt: string | null
  readonly lastFailureAt: string | null
  /** Why the last order failed; null where it did not. */
  readonly failure: string | null
  /** In a row. */
  readonly failures: number
}

export interface StapleAnswer {
  readonly responder: string
  readonly isStapled: boolean
  readonly nextUpdateAt: string | null
  readonly nextFetchAt: string | null
  readonly failure: string | null
}

export function describeCertificates(
  served: readonly CertificateStatus[],
  orders: readonly OrderStatus[],
  staples: readonly StapleStatus[],
): CertificateAnswer[] {
  return served.map((certificate) => {
    const order = orders.find(({ path }) => path === certificate.file)
    const staple = staples.find(({ path }) => path === certificate.file)
    return {
      ...certificate,
      acme: order === undefined ? null : describeOrder(order),
      ocsp: staple === undefined ? null : describeStaple(staple),
    }
  })
}

/** The routes of the admin API for certificates, in front of the others. */
export function certificateApi(
  list: () => readonly CertificateAnswer[],
  orders: Pick<AcmeOrders, 'renew'>,
  others: AdminHandler,
): AdminHandler {
  return (request) => {
    if (request.path === '/api/v1/certificates' && request.method === 'GET') return { status: 200, json: { certificates: list() } }
    if (request.path === '/api/v1/certificates/renew' && request.method === 'POST') return renew(orders, request)
    return others(request)
  }
}

function renew(orders: Pick<AcmeOrders, 'renew'>, { body }: AdminRequest): AdminAnswer {
  const { name } = (body ?? {}) as { name?: unknown }
  if (name !== undefined && typeof name !== 'string') return failure(400, 'invalid-name', '"name" is a name of a certificate.')
  const ordered = orders.renew(name?.toLowerCase())
  if (ordered > 0) return { status: 202, json: { ordered } }
  const what = name === undefined ? '' : ` for ${JSON.stringify(name)}`
  return failure(404, 'no-such-certificate', `There is no certificate by ACME${what}.`)
}

function describeOrder({ names, state, nextMs, lastSuccessMs, lastFailureMs, failure: why, failures }: OrderStatus): OrderAnswer {
  return {
    names,
    state,
    nextOrderAt: timeOf(nextMs),
    lastSuccessAt: timeOf(lastSuccessMs),
    lastFailureAt: timeOf(lastFailureMs),
    failure: why === '' ? null : why,
    failures,
  }
}

function describeStaple({ url, nextUpdateMs, nextFetchMs, failure: why }: StapleStatus): StapleAnswer {
  return {
    responder: url,
    isStapled: nextUpdateMs > 0,
    nextUpdateAt: timeOf(nextUpdateMs),
    nextFetchAt: timeOf(nextFetchMs),
    failure: why === '' ? null : why,
  }
}

function timeOf(ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString()
}
