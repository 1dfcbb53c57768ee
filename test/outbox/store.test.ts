import assert from 'node:assert/strict'
import { test } from 'node:test'

import { BackhaulError } from '../../src/contract/index.ts'
import { Entry } from '../../src/outbox/entry.ts'
import type { FullPolicy } from '../../src/outbox/index.ts'
import { MemoryStore } from '../../src/outbox/index.ts'
import { FAILED, message, REFUSED_MESSAGE, turn } from './scripted-link.ts'
import { setUp } from './set-up.ts'
import { SlowStore } from './slow-store.ts'

function setUpSlow(policy: FullPolicy = 'block', store = new SlowStore()) {
  return { store, ...setUp({ store, limits: { policy } }) }
}

test('Pump.add() resolves when the store has made the message safe, one promise for a commit', async () => {
  const { store, link, add, up } = setUpSlow()
  up()
  const first = add('a')
  const second = add('b')
  assert.ok(first !== undefined)
  assert.equal(first, second)
  await turn()
  assert.deepEqual(link.batches, [], 'nothing goes out before it is safe')
  store.tick()
  await first
  await turn()
  assert.deepEqual(link.batches, [['a', 'b']])
})

test('Pump goes on when the store has read more', async () => {
  const { store, link, add, up } = setUpSlow()
  up()
  for (const name of ['a', 'b', 'c', 'd', 'e']) void add(name)
  store.tick()
  await turn()
  assert.deepEqual(link.inFlight, ['a', 'b', 'c'])
  store.tick()
  await turn()
  assert.deepEqual(link.inFlight, ['a', 'b', 'c', 'd', 'e'])
})

test('Pump waits for room on a full disk, or drops, as its policy says', async () => {
  const { store, add } = setUpSlow()
  store.full = true
  const waiting = add('a')
  store.full = false
  store.tick()
  await turn()
  store.tick()
  await waiting
  const dropping = setUpSlow('dropNewest')
  dropping.store.full = true
  assert.throws(() => dropping.add('a'), { code: 'OUTBOX_FULL' })
})

test('Pump never accepted what the store could not make safe', async () => {
  const { store, pump, ends, add } = setUpSlow()
  void add('a')
  store.tick()
  const failing = add('b')
  store.fail(new BackhaulError('INTERNAL', 'Cannot write the outbox: the disk failed, see its log'))
  await assert.rejects(Promise.resolve(failing), { code: 'INTERNAL' })
  assert.equal(pump.account.accepted, 1)
  assert.equal(pump.account.pending, 1)
  assert.deepEqual(ends, [])
})

test('Pump counts what the store drops by itself', async () => {
  const { store, pump, ends, add } = setUpSlow()
  void add('a')
  void add('b', { priority: 'control' })
  store.tick()
  const drained = pump.drain()
  store.dropLane(2)
  store.dropLane(0)
  await drained
  assert.deepEqual(ends, [
    ['a', 'EXPIRED'],
    ['b', 'EXPIRED'],
  ])
  assert.equal(pump.account.dropped.expired, 2)
})

test('Pump.close() leaves what is pending in a durable store, and ends the wait for it', async () => {
  const { store, link, pump, ends, add, up } = setUpSlow()
  up({ maxInFlight: 2 })
  for (const name of ['a', 'b', 'c']) void add(name)
  store.tick()
  await turn()
  link.settle('a', FAILED)
  await pump.close()
  assert.deepEqual(
    ends.toSorted(([a], [b]) => a.localeCompare(b)),
    [
      ['a', 'CLOSED'],
      ['b', 'CLOSED'],
      ['c', 'CLOSED'],
    ],
  )
  assert.deepEqual(store.endings, [])
  assert.equal(pump.account.pending, 3)
  assert.equal(pump.account.dropped.closed, 0)
  await assert.rejects(pump.drain(), { code: 'CLOSED' })
})

test('Pump goes on from the account and the parked topics that the store was opened with', async () => {
  const opening = { ...new MemoryStore().opening, accepted: 5, delivered: 4, pending: 1, pendingBytes: 10 }
  const store = new SlowStore(opening)
  const old = new Entry(message('old@s'), 2, undefined, undefined)
  store.park(old)
  const { link, pump, add, up } = setUpSlow('block', store)
  assert.deepEqual(
    pump.parkedTopics.map(({ topic, messages, error }) => [topic, messages, error]),
    [['s', 1, undefined]],
  )
  void add('new@s')
  up()
  store.tick()
  await turn()
  assert.deepEqual(link.inFlight, ['old'], 'the topic is tried with its oldest message')
  link.settle('old')
  await turn()
  assert.deepEqual(link.inFlight, ['new'])
  link.settle('new')
  assert.equal(pump.account.accepted, 6)
  assert.equal(pump.account.delivered, 6)
  assert.equal(pump.account.pending, 0)
})

test('Pump tells the store how each message ended', async () => {
  const { store, clock, link, add, up } = setUpSlow()
  up()
  for (const name of ['a', 'b']) void add(name)
  void add('c', { expiresAtMs: clock.now() + 10 })
  store.tick()
  await turn()
  link.settle('a')
  link.settle('b', REFUSED_MESSAGE)
  link.settle('c', FAILED)
  clock.advance(100)
  await turn()
  assert.deepEqual(store.endings, [
    ['a', 'delivered', undefined],
    ['b', 'dead', 'REFUSED'],
    ['c', 'expired', undefined],
  ])
})
