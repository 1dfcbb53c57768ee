import assert from 'node:assert/strict'
import { test } from 'node:test'

import { FAILED, REFUSED_TOPIC, turn } from './scripted-link.ts'
import { setUp } from './set-up.ts'

test('Pump drops what has expired when it comes to the front', async () => {
  const { clock, link, pump, ends, add, put, up } = setUp()
  void add('a', { expiresAtMs: clock.now() + 500 })
  put('b')
  clock.advance(500)
  up()
  await turn()
  assert.deepEqual(link.inFlight, ['b'])
  assert.deepEqual(ends, [['a', 'EXPIRED']])
  assert.deepEqual(pump.account.dropped, { full: 0, expired: 1, withdrawn: 0, closed: 0, damaged: 0 })
})

test('Pump drops what has expired while there is no link, and ends its timer', async () => {
  const { clock, pump, ends, add, put } = setUp()
  void add('a', { expiresAtMs: clock.now() + 60_000 })
  void add('b', { expiresAtMs: clock.now() + 20_000 })
  put('c')
  clock.advance(20_000)
  await turn()
  assert.deepEqual(ends, [['b', 'EXPIRED']])
  clock.advance(40_000)
  await turn()
  assert.equal(ends.length, 2)
  assert.equal(pump.account.pending, 1)
  assert.equal(clock.timers, 0)
})

test('Pump lets nothing expire on its way, but before it goes out again', async () => {
  const { clock, link, ends, add, up } = setUp()
  up()
  void add('a', { expiresAtMs: clock.now() + 5000 })
  void add('b', { expiresAtMs: clock.now() + 5000 })
  await turn()
  clock.advance(60_000)
  assert.deepEqual(ends, [])
  link.settle('a')
  link.settle('b', FAILED)
  clock.advance(100)
  await turn()
  assert.deepEqual(ends, [
    ['a', 'delivered'],
    ['b', 'EXPIRED'],
  ])
})

test('Pump drops what has expired while it is parked', async () => {
  const { clock, link, pump, ends, add, up } = setUp()
  up()
  void add('a@s', { expiresAtMs: clock.now() + 5000 })
  await turn()
  link.settle('a', REFUSED_TOPIC)
  clock.advance(5000)
  await turn()
  assert.deepEqual(ends, [['a', 'EXPIRED']])
  assert.equal(pump.account.parked, 0)
  clock.advance(60_000)
  await turn()
  assert.deepEqual(pump.parkedTopics, [])
  assert.equal(clock.timers, 0)
})

test('Pump makes room for those who wait when something expires', async () => {
  const { clock, pump, add } = setUp({ limits: { maxMessages: 1 } })
  void add('a', { expiresAtMs: clock.now() + 5000 })
  const waiting = add('b')
  clock.advance(5000)
  await waiting
  assert.equal(pump.account.pending, 1)
})

test('Pump ages by time that passes, not by jumps of the clock', async () => {
  const { clock, ends, add } = setUp()
  void add('a', { expiresAtMs: clock.now() + 60_000 })
  clock.jump(clock.now() + 365 * 86_400_000)
  clock.advance(59_000)
  await turn()
  assert.deepEqual(ends, [])
  clock.jump(clock.now() - 86_400_000)
  clock.advance(1000)
  await turn()
  assert.deepEqual(ends, [['a', 'EXPIRED']])
})

test('Pump lets nothing expire while the clock is unset', async () => {
  const { clock, link, ends, add, up } = setUp()
  clock.jump(1000)
  void add('a', { expiresAtMs: 6000 })
  clock.advance(3_600_000)
  await turn()
  assert.deepEqual(ends, [])
  up()
  await turn()
  assert.deepEqual(link.inFlight, ['a'])
  link.settle('a', FAILED)
  clock.jump(Date.UTC(2026, 10, 2))
  clock.advance(100)
  await turn()
  assert.deepEqual(ends, [['a', 'EXPIRED']])
})
