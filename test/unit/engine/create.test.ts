import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createEngine, probeUring } from '../../../src/engine/index.ts'

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

  it('refuses to run without the uring engine where that is demanded', async () => {
    const probe = await probeUring()
    if (probe.available) {
      const { engine } = await createEngine('uring', small)
      await engine.close()
      return
    }
    await assert.rejects(createEngine('uring', small), (error: { code: string; message: string }) => {
      assert.equal(error.code, 'ENGINE_UNAVAILABLE')
      assert.ok(error.message.includes(probe.detail))
      return true
    })
  })
})
