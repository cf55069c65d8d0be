import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pool, type RetryBudget, type RetryBudgetDefinition } from '../../../src/pool/index.ts'
import { bench, definition, weighted } from '../../support/pool.ts'

function budgets(retryBudget: RetryBudgetDefinition): RetryBudget[] {
  const pool = definition(weighted(1), { retryBudget })
  const on = bench(pool)
  const other = new Pool(pool, on.assignment.pools[0], on.table, 1)
  return [on.pool.retryBudget as RetryBudget, other.retryBudget as RetryBudget]
}

function withdrawals(budget: RetryBudget, nowMs: number, tries: number): number {
  let granted = 0
  for (let i = 0; i < tries; i++) if (budget.withdraw(nowMs)) granted++
  return granted
}

test('retries are a share of the requests, over all workers', () => {
  const [one, two] = budgets({ percent: 20, minPerSecond: 0 })
  assert.equal(withdrawals(one, 0, 5), 0)
  for (let i = 0; i < 10; i++) one.deposit()
  for (let i = 0; i < 10; i++) two.deposit()
  assert.equal(withdrawals(one, 0, 3) + withdrawals(two, 0, 10), 4)
})

test('a minimum is allowed in each second, however few requests there are', () => {
  const [one, two] = budgets({ percent: 0, minPerSecond: 3 })
  assert.equal(withdrawals(one, 1000, 10), 3)
  assert.equal(withdrawals(two, 1999, 10), 0)
  assert.equal(withdrawals(two, 2000, 10), 3)
})

test('what is not used is kept up to a limit', () => {
  const [one] = budgets({ percent: 20, minPerSecond: 0 })
  for (let i = 0; i < 10_000; i++) one.deposit()
  assert.equal(withdrawals(one, 0, 100), 10)
})

test('a pool without a budget has none', () => {
  assert.equal(bench(definition(weighted(1))).pool.retryBudget, null)
})
