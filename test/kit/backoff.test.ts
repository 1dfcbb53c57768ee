import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { backoff } from '../../src/kit/backoff.ts'

test('backoff() doubles up to its ceiling when the dice show the most', () => {
  const delays = backoff(100, 1000, () => 1)
  assert.deepEqual(
    Array.from({ length: 6 }, () => delays.next().value),
    [100, 200, 400, 800, 1000, 1000],
  )
})

test('backoff() stays between nothing and its ceiling for any dice', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1 }), (dice) => {
      const rolls = dice.values()
      const delays = backoff(250, 30_000, () => rolls.next().value ?? 0)
      return dice.every(() => {
        const delay = delays.next().value
        return delay >= 0 && delay <= 30_000
      })
    }),
  )
})
