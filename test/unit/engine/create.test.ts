import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BackendProbe, createEngine, probeUring } from '../../../src/engine/index.ts'

const small = { blockCount: 256, receiveBlocks: 64 }

describe('createEngine()', () => {
  it('makes the portable engine where it is asked for', async () => {
    const { engine, reason } = await createEngine('portable', small)
    assert.equal(engine.kind, 'portable')
    assert.equal(reason, 'portable engine')
    await engine.close()
  })

  it('gives the portable engine a smaller arena unless told otherwise', async () => {
    const { engine } = await createEngine('portable')
    assert.equal(engine.memory.length, 256 << 20)
    await engine.close()
  })

  it('auto says which engine runs, and why', async () => {
    const probe = await probeUring()
    const { engine, reason } = await createEngine('auto', small)
    if (probe.available) assert.equal(reason, `uring engine (${probe.detail})`)
    else assert.equal(reason, `portable engine, because ${probe.detail}`)
    assert.equal(engine.kind, probe.available ? 'uring' : 'portable')
    await engine.close()
  })

  it('auto runs portable where uring cannot, and uring itself refuses', async () => {
    const absent = backend({ available: false, detail: 'io_uring is disabled by kernel.io_uring_disabled=2' })
    const { engine, reason } = await createEngine('auto', small, undefined, absent)
    assert.equal(engine.kind, 'portable')
    assert.equal(reason, 'portable engine, because io_uring is disabled by kernel.io_uring_disabled=2')
    await engine.close()
    await assert.rejects(createEngine('uring', small, undefined, absent), {
      code: 'ENGINE_UNAVAILABLE',
      message: 'the uring engine cannot run here, because io_uring is disabled by kernel.io_uring_disabled=2; set engine: auto or portable',
    })
  })

  it('auto runs portable where a ring is promised and then cannot be made', async () => {
    const failing = backend({ available: true, detail: 'Linux' })
    const { engine, reason } = await createEngine('auto', small, undefined, failing)
    assert.equal(reason, 'portable engine, because no memory')
    await engine.close()
    await assert.rejects(createEngine('uring', small, undefined, failing), { code: 'ENGINE_UNAVAILABLE' })
  })
})

/** A ring backend with this answer, which fails when it is taken at its word. */
function backend(probe: BackendProbe) {
  const create = () => {
    throw new Error('no memory')
  }
  return async () => ({ probe: () => probe, create })
}
