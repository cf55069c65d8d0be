import { formatDiagnostics } from '../config/index.ts'
import { Balancer, type BalancerOptions, ConfigurationError } from '../control/index.ts'
import { readVersion } from './version.ts'

/** Starts a balancer in this process and runs it until a signal ends it: SIGHUP reloads, SIGTERM and SIGINT drain. `started` runs once it serves. */
export async function serve(options: Omit<BalancerOptions, 'version'>, started: () => void = () => {}): Promise<void> {
  let balancer: Balancer
  try {
    balancer = await Balancer.start({ ...options, version: readVersion() })
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    process.stderr.write(`${formatDiagnostics(error.diagnostics, { color: process.stderr.isTTY === true })}\n`)
    process.exitCode = 1
    return
  }
  started()
  process.on('SIGHUP', () => void balancer.reload())
  process.on('SIGUSR1', () => balancer.reopenLogs())
  let signals = 0
  const end = (signal: NodeJS.Signals): void => {
    signals++
    if (signals > 1) process.exit(signal === 'SIGINT' ? 130 : 143)
    void balancer.shutdown(signal)
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  process.exitCode = await balancer.ended
}
