import assert from 'node:assert/strict'
import { test } from 'node:test'

import { isPlausibleTime } from '../../src/kit/plausible-clock.ts'

test('isPlausibleTime() does not believe a clock that was never set', () => {
  assert.equal(isPlausibleTime(0), false)
  assert.equal(isPlausibleTime(Date.UTC(2019, 11, 31)), false)
  assert.equal(isPlausibleTime(Date.UTC(2026, 0, 1)), true)
})
