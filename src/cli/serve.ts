import { formatDiagnostics } from '../config/index.ts'
import { Balancer, type BalancerOptions, ConfigurationError } from '../control/index.ts'
import { readVersion } from './version.ts'

/**
 * Starts a balancer in this process and runs it until a signal ends it: SIGHUP reloads, SIGTERM and SIGINT drain. A signal
 * that comes before it serves takes effect once it does. `started` runs at that moment.
 */
export async function serve(options: Omit<BalancerOptions, 'version'>, started: () => void = () => {}): Promise<void> {
  const starting = Balancer.start({ ...options, version: readVersion() })
  onSignals(starting)
  let balancer: Balancer
  try {
    balancer = await starting
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    process.stderr.write(`${formatDiagnostics(error.diagnostics, { color: process.stderr.isTTY === true })}\n`)
    process.exitCode = 1
    return
  }
  started()
  process.exitCode = await balancer.ended
}

function onSignals(starting: Promise<Balancer>): void {
  // A start that fails is told by serve(); a signal has nothing to add to it.
  const withBalancer = (act: (balancer: Balancer) => void): void => void starting.then(act, () => {})
  let signals = 0
  const end = (signal: NodeJS.Signals): void => {
    signals++
    if (signals > 1) process.exit(signal === 'SIGINT' ? 130 : 143)
    withBalancer((balancer) => void balancer.shutdown(signal))
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  process.on('SIGHUP', () => withBalancer((balancer) => void balancer.reload()))
  process.on('SIGUSR1', () => withBalancer((balancer) => balancer.reopenLogs()))
}
