import { release } from 'node:os'
import { it } from 'node:test'
import { probeUring } from '../../src/engine/index.ts'
import { engineSuite } from './engine.ts'

const probe = await probeUring()
if (probe.available) engineSuite({ kind: 'uring' })
else {
  const mustRun =
    process.env.CI === 'true' && process.platform === 'linux' && Number.parseInt(release(), 10) >= 6 && process.getuid?.() === 0
  it('the uring engine', { skip: mustRun ? false : probe.detail }, () => {
    throw new Error(`the uring engine must run here, but ${probe.detail}`)
  })
}
