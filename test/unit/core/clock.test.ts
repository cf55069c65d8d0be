import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TurnClock } from '../../../src/core/index.ts'
import { FakeClock } from '../../support/clock.ts'

describe('the clock of a turn', () => {
  it('stands still until the next turn', () => {
    const source = new FakeClock(5)
    const clock = new TurnClock(source)
    const wallClock = clock.wallClock()
    source.advance(100)
    assert.equal(clock.now(), 5)
    assert.equal(clock.wallClock(), wallClock)
    assert.equal(clock.tick(), 105)
    assert.equal(clock.now(), 105)
    assert.equal(clock.wallClock(), wallClock + 100)
  })
})
