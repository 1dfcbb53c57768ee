import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { ulids } from '../../src/kit/ulid.ts'

test('ulids() gives 26 letters of Crockford base 32 that begin with the time', () => {
  const id = ulids(() => 1_469_918_176_385)()
  assert.match(id, /^[0-9A-HJKMNP-TV-Z]{26}$/)
  assert.equal(id.slice(0, 10), '01ARYZ6S41')
})

test('ulids() always increases, however the clock steps', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 41 }), { minLength: 2, maxLength: 60 }), (times) => {
      const clock = times.values()
      const next = ulids(() => clock.next().value ?? 0)
      const made = times.map(() => next())
      assert.deepEqual(made, made.toSorted())
      assert.equal(new Set(made).size, made.length)
    }),
  )
})

test('ulids() goes on after an earlier id, even from before a clock that stepped back', () => {
  const last = ulids(() => 2_000_000)()
  const next = ulids(() => 1_000_000, last)()
  assert.ok(next > last)
  assert.equal(next.length, 26)
})
