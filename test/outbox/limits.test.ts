import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'

import { REFUSED_TOPIC, turn } from './scripted-link.ts'
import { setUp } from './set-up.ts'

test('Pump refuses what can never fit, and counts nothing', () => {
  const { pump, add, up } = setUp({ limits: { maxBytes: 100 } })
  assert.throws(() => add('a', {}, 101), { code: 'MESSAGE_TOO_LARGE' })
  up({ maxPayloadBytes: 50 })
  pump.linkDown()
  assert.throws(() => add('b', {}, 51), { code: 'MESSAGE_TOO_LARGE', message: /51 bytes .* limit of 50/ })
  assert.throws(() => add('c', { signal: AbortSignal.abort() }), { code: 'ABORTED' })
  assert.equal(pump.account.accepted, 0)
})

test('Pump with `block` lets callers wait for room, in turn, the more urgent classes first', async () => {
  const { link, pump, add, put, up } = setUp({ limits: { maxMessages: 2 } })
  const order: string[] = []
  const wait = async (name: string, priority: 'control' | 'telemetry') => {
    await add(name, { priority })
    order.push(name)
  }
  up()
  put('a', 'b')
  const waits = [wait('c', 'telemetry'), wait('d', 'telemetry'), wait('e', 'control')]
  await turn()
  assert.deepEqual(order, [])
  assert.equal(pump.account.accepted, 2)
  link.settle('a')
  await turn()
  assert.deepEqual(order, ['e'])
  link.settle('b')
  link.settle('e')
  await Promise.all(waits)
  assert.deepEqual(order, ['e', 'c', 'd'])
  assert.equal(pump.account.accepted, 5)
})

test('Pump with `block` lets nobody overtake a large message that waits', async () => {
  const { link, add, put, up } = setUp({ limits: { maxBytes: 30 } })
  up()
  put('a', 'b')
  const large = add('large', {}, 25)
  const small = add('small')
  assert.ok(large !== undefined && small !== undefined)
  await turn()
  link.settle('a')
  await turn()
  assert.deepEqual(link.inFlight, ['b'])
  link.settle('b')
  await turn()
  assert.deepEqual(link.inFlight, ['large'])
  link.settle('large')
  await Promise.all([large, small])
})

test('Pump with `block` ends a wait with its signal, and serves the next one', async () => {
  const { link, pump, ends, add, put, up } = setUp({ limits: { maxBytes: 30 } })
  up()
  put('a', 'b')
  const patience = new AbortController()
  const large = add('large', { signal: patience.signal }, 25)
  const small = add('small')
  await turn()
  patience.abort(new Error('no patience'))
  await assert.rejects(Promise.resolve(large), { code: 'ABORTED' })
  await small
  await turn()
  link.settleAll()
  assert.deepEqual(
    ends.map(([id]) => id),
    ['a', 'b', 'small'],
  )
  assert.equal(pump.account.accepted, 3)
})

test('Pump.drain() waits for those who wait for room, too', async () => {
  const { link, pump, add, put, up } = setUp({ limits: { maxMessages: 1 } })
  up()
  put('a')
  const waiting = add('b')
  const drained = pump.drain()
  for (let round = 0; round < 2; round += 1) {
    await turn()
    link.settleAll()
  }
  await Promise.all([waiting, drained])
  assert.equal(pump.account.delivered, 2)
})

test('Pump with `dropOldest` drops the oldest that is not on its way, of the least urgent class', async () => {
  const { link, pump, ends, add, put, up } = setUp({ limits: { maxMessages: 4, policy: 'dropOldest' } })
  up({ maxInFlight: 1 })
  put('a')
  await turn()
  put('b')
  assert.equal(add('c', { priority: 'control' }), undefined)
  put('d', 'e')
  assert.equal(add('f', { priority: 'control' }), undefined)
  assert.deepEqual(ends, [], 'no callback inside add()')
  await turn()
  assert.deepEqual(ends, [
    ['b', 'OUTBOX_FULL'],
    ['d', 'OUTBOX_FULL'],
  ])
  assert.deepEqual(link.inFlight, ['a'])
  assert.equal(pump.account.dropped.full, 2)
  assert.equal(pump.account.pending, 4)
})

test('Pump with `dropOldest` refuses a message that only a more urgent one could make room for', async () => {
  const { pump, add, put, up } = setUp({ limits: { maxMessages: 2, policy: 'dropOldest' } })
  assert.equal(add('a', { priority: 'control' }), undefined)
  assert.equal(add('b', { priority: 'alarm' }), undefined)
  assert.throws(() => add('c'), { code: 'OUTBOX_FULL' })
  put()
  up()
  await turn()
  assert.throws(() => add('d', { priority: 'control' }), { code: 'OUTBOX_FULL' }, 'all is on its way')
  assert.deepEqual(pump.account.dropped, { full: 2, expired: 0, withdrawn: 0, closed: 0, damaged: 0 })
  assert.equal(pump.account.accepted, 4)
})

test('Pump with `dropOldest` drops nothing for a message that would not fit even then', async () => {
  const { pump, add, put, up } = setUp({ limits: { maxBytes: 30, policy: 'dropOldest' } })
  up({ maxInFlight: 2 })
  put('a', 'b', 'c')
  await turn()
  assert.throws(() => add('large', {}, 20), { code: 'OUTBOX_FULL' })
  assert.equal(pump.account.pending, 3)
})

test('Pump with `dropOldest` drops what is parked only for what would be parked too', async () => {
  const { clock, link, pump, ends, put, up } = setUp({
    limits: { maxMessages: 3, maxParkedMessages: 1, policy: 'dropOldest' },
  })
  up()
  put('a@s')
  await turn()
  link.settleAll(REFUSED_TOPIC)
  pump.linkDown()
  put('b@t', 'c@t', 'd@t', 'e@t')
  await turn()
  assert.deepEqual(ends, [['b', 'OUTBOX_FULL']])
  assert.equal(pump.account.parked, 1)
  clock.advance(5000)
  up()
  await turn()
  link.settle('a', REFUSED_TOPIC)
  link.settleAll()
  put('f@s')
  await turn()
  assert.deepEqual(ends.at(-1), ['a', 'OUTBOX_FULL'])
})

test('Pump with `dropNewest` refuses the new message and counts it as accepted and dropped', () => {
  const { pump, ends, add, put } = setUp({ limits: { maxMessages: 1, policy: 'dropNewest' } })
  put('a')
  assert.throws(() => add('b'), { code: 'OUTBOX_FULL' })
  assert.deepEqual(ends, [])
  assert.equal(pump.account.accepted, 2)
  assert.deepEqual(pump.account.dropped, { full: 1, expired: 0, withdrawn: 0, closed: 0, damaged: 0 })
})

test('Pump is right when each dropped message is added again by its callback', async () => {
  const { pump, put, add } = setUp({ limits: { maxMessages: 2, policy: 'dropOldest' } })
  let rounds = 0
  const again = () => {
    rounds += 1
    if (rounds < 1000) void pump.add({ ...example, id: `again ${rounds}` }, {}, again)
  }
  const example = { id: 'x', topic: 't', key: undefined, payload: new Uint8Array(1), headers: undefined }
  void pump.add(example, {}, again)
  put('a')
  void add('b')
  await turn()
  const { accepted, pending, dropped } = pump.account
  assert.equal(accepted, pending + dropped.full)
  assert.equal(pending, 2)
})

test('Pump tells of drops on its diagnostics channel', (context) => {
  const events: unknown[] = []
  const listen = (event: unknown) => events.push(event)
  subscribe('backhaul:outbox:dropped', listen)
  context.after(() => unsubscribe('backhaul:outbox:dropped', listen))
  const { add, put } = setUp({ limits: { maxMessages: 1, policy: 'dropOldest' } })
  put('a')
  void add('b', { priority: 'alarm' })
  assert.deepEqual(events, [{ reason: 'full', priority: 'telemetry', messages: 1, bytes: 10 }])
})
