import { Exposition, type MetricDefinition } from '../../observe/index.ts'
import type { OrderStatus } from './orders.ts'

interface OrderMetric extends MetricDefinition {
  read(order: OrderStatus): number
}

const ORDERS: MetricDefinition = {
  name: 'evener_acme_orders_total',
  type: 'counter',
  help: 'Orders of a certificate, by their result.',
  labels: ['certificate', 'result'],
}

const BY_CERTIFICATE: readonly OrderMetric[] = [
  gauge(
    'last_success',
    'When a certificate was had last, in seconds since the epoch; 0 for not since the start.',
    (order) => order.lastSuccessMs,
  ),
  gauge(
    'last_failure',
    'When an order failed last, in seconds since the epoch; 0 for not since the start.',
    (order) => order.lastFailureMs,
  ),
  gauge('next_order', 'When the next order is due, in seconds since the epoch.', (order) => order.nextMs),
]

/** What is known of certificates by ACME, told at each scrape. */
export const ACME_METRICS: readonly MetricDefinition[] = [ORDERS, ...BY_CERTIFICATE]

export function acmeMetrics(orders: readonly OrderStatus[]): string {
  const page = new Exposition()
  page.family(
    ORDERS,
    orders.flatMap(({ path, successCount, failureCount }) => [
      { values: [path, 'good'], value: successCount },
      { values: [path, 'failed'], value: failureCount },
    ]),
  )
  for (const definition of BY_CERTIFICATE) {
    page.family(
      definition,
      orders.map((order) => ({ values: [order.path], value: definition.read(order) })),
    )
  }
  return page.text()
}

function gauge(name: string, help: string, readMs: (order: OrderStatus) => number): OrderMetric {
  return {
    name: `evener_acme_${name}_timestamp_seconds`,
    type: 'gauge',
    help,
    labels: ['certificate'],
    read: (order) => readMs(order) / 1000,
  }
}
