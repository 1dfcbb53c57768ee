import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ManualClock } from './manual-clock.ts'

test('ManualClock fires timers in the order of their time, each at its own time', () => {
  const clock = new ManualClock(5000)
  const seen: [string, number][] = []
  clock.after(20, () => seen.push(['later', clock.now()]))
  clock.after(10, () => {
    seen.push(['first', clock.now()])
    clock.after(5, () => seen.push(['nested', clock.now()]))
  })
  clock.after(10, () => seen.push(['second', clock.now()]))
  clock.after(12, () => seen.push(['cancelled', clock.now()])).cancel()
  clock.advance(30)
  assert.deepEqual(seen, [
    ['first', 5010],
    ['second', 5010],
    ['nested', 5015],
    ['later', 5020],
  ])
  assert.equal(clock.now(), 5030)
  assert.equal(clock.timers, 0)
})

test('ManualClock.jump() moves the wall clock and no timer', () => {
  const clock = new ManualClock()
  clock.after(10, () => assert.fail('fired'))
  const before = clock.monotonic()
  clock.jump(0)
  assert.equal(clock.now(), 0)
  assert.equal(clock.monotonic(), before)
  assert.equal(clock.nextMs, 10)
})
