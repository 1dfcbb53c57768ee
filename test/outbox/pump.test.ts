import assert from 'node:assert/strict'
import process from 'node:process'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import { DELIVERED } from '../../src/contract/index.ts'
import { FAILED, message, REFUSED_LINK, REFUSED_MESSAGE, turn } from './scripted-link.ts'
import { setUp } from './set-up.ts'

test('Pump hands out what a burst added as one batch, in a microtask', async () => {
  const { link, put, up } = setUp()
  up()
  put('a', 'b', 'c')
  assert.deepEqual(link.batches, [])
  await Promise.resolve()
  assert.deepEqual(link.batches, [['a', 'b', 'c']])
})

test('Pump keeps messages until a link is there, and tells each one its end once', async () => {
  const { link, pump, ends, put, up } = setUp()
  put('a')
  put('b')
  await turn()
  assert.deepEqual(link.batches, [])
  up()
  await turn()
  link.settle('b')
  assert.deepEqual(ends, [['b', 'delivered']])
  link.settle('a')
  assert.deepEqual(ends, [
    ['b', 'delivered'],
    ['a', 'delivered'],
  ])
  assert.deepEqual(pump.account, {
    accepted: 2,
    delivered: 2,
    pending: 0,
    parked: 0,
    dead: 0,
    dropped: { full: 0, expired: 0, withdrawn: 0, closed: 0, damaged: 0 },
    pendingBytes: 0,
    resent: 0,
  })
})

test('Pump sends together what queued up while the window was full', async () => {
  const { link, put, up } = setUp()
  up({ maxInFlight: 2 })
  put('a', 'b', 'c', 'd', 'e')
  await turn()
  assert.deepEqual(link.batches, [['a', 'b']])
  link.settle('b')
  link.settle('a')
  await turn()
  assert.deepEqual(link.batches.slice(1), [['c', 'd']])
})

test('Pump splits batches by bytes, and sends a large message alone', async () => {
  const { link, add, put, up } = setUp()
  up({ maxBatchBytes: 25 })
  put('a', 'b', 'c')
  void add('large', {}, 30)
  put('d')
  await turn()
  assert.deepEqual(link.batches, [['a', 'b'], ['c'], ['large'], ['d']])
})

test('Pump bounds the window in bytes, but for one message', async () => {
  const { link, add, put, up } = setUp({ maxInFlightBytes: 25 })
  up()
  put('a', 'b', 'c')
  void add('large', {}, 30)
  await turn()
  assert.deepEqual(link.inFlight, ['a', 'b'])
  link.settleAll()
  await turn()
  assert.deepEqual(link.inFlight, ['c'])
  link.settleAll()
  await turn()
  assert.deepEqual(link.inFlight, ['large'])
})

test('Pump waits for everything on its way after a failure, then sends what failed again in order', async () => {
  const { clock, link, pump, put, up } = setUp()
  up({ maxInFlight: 4 })
  put('a', 'b', 'c', 'd', 'e')
  await turn()
  link.settle('d', FAILED)
  link.settle('b', FAILED)
  link.settle('a')
  await turn()
  clock.advance(10_000)
  assert.equal(link.batches.length, 1, 'c is still on its way')
  link.settle('c', FAILED)
  clock.advance(99)
  await turn()
  assert.equal(link.batches.length, 1, 'the pause is 100 ms')
  clock.advance(1)
  assert.deepEqual(link.batches[1], ['b', 'c', 'd', 'e'])
  assert.equal(pump.account.resent, 3)
})

test('Pump doubles its pause up to 5 s while nothing is delivered, and starts small again', async () => {
  const { clock, link, put, up } = setUp()
  up()
  put('a')
  await turn()
  const pauses: number[] = []
  for (let round = 0; round < 8; round += 1) {
    link.settle('a', round % 2 === 0 ? FAILED : REFUSED_LINK)
    pauses.push(clock.nextMs ?? 0)
    clock.advance(clock.nextMs ?? 0)
  }
  assert.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000])
  link.settle('a')
  put('b')
  await turn()
  link.settle('b', FAILED)
  assert.equal(clock.nextMs, 100)
})

test('Pump sends everything again over the next link, and ignores what the old one says afterwards', async () => {
  const { clock, link, pump, ends, put, up } = setUp()
  up()
  put('a', 'b', 'c')
  await turn()
  link.settle('b')
  const [old] = link.open
  pump.linkDown()
  assert.equal(link.signal?.aborted, true)
  old?.settle(DELIVERED)
  assert.deepEqual(ends, [['b', 'delivered']])
  link.open.length = 0
  up()
  await turn()
  assert.deepEqual(link.batches[1], ['a', 'c'])
  old?.settle(DELIVERED)
  assert.deepEqual(ends, [['b', 'delivered']])
  link.settleAll()
  assert.equal(pump.account.delivered, 3)
  assert.equal(clock.timers, 0)
})

test('Pump makes no pause when the failures were the end of the link', async () => {
  const { clock, link, pump, put, up } = setUp()
  up()
  put('a')
  await turn()
  link.settle('a', FAILED)
  assert.equal(clock.timers, 1)
  pump.linkDown()
  assert.equal(clock.timers, 0)
  up()
  await turn()
  assert.deepEqual(link.batches, [['a'], ['a']])
})

test('Pump keeps one message of a topic and key in flight where the link cannot keep order', async () => {
  const { clock, link, put, up } = setUp()
  up({ keepsOrderAfterFailure: false })
  put('a@t/1', 'b@t/1', 'c@t/2', 'd@t/1', 'e@u')
  await turn()
  assert.deepEqual(link.inFlight, ['a', 'c', 'e'])
  link.settle('c')
  link.settle('e')
  link.settle('a', FAILED)
  clock.advance(100)
  assert.deepEqual(link.inFlight, ['a'])
  for (const next of ['b', 'd']) {
    link.settleAll()
    await turn()
    assert.deepEqual(link.inFlight, [next])
  }
})

test('Pump weighs the classes, and keeps each in order', async () => {
  const { link, add, put, up } = setUp()
  for (let n = 0; n < 40; n += 1) {
    put(`t${n}`)
    void add(`a${n}`, { priority: 'alarm' })
    void add(`c${n}`, { priority: 'control' })
  }
  up({ maxInFlight: 21 })
  await turn()
  const counts = ['c', 'a', 't'].map((letter) => link.inFlight.filter((id) => id.startsWith(letter)).length)
  assert.deepEqual(counts, [16, 4, 1])
  assert.equal(link.inFlight[0], 'c0')
  link.settleAll()
  await turn()
  assert.deepEqual(link.inFlight.slice(0, 2), ['c16', 'c17'])
  assert.ok(link.inFlight.includes('a4') && link.inFlight.includes('t1'))
})

test('Pump counts a refused message as dead, tells why, and goes on', async () => {
  const dead: string[] = []
  const { link, pump, ends, put, up } = setUp({ onDead: ({ id }, error) => dead.push(`${id} ${error.code}`) })
  up()
  put('a')
  put('b')
  await turn()
  link.settle('a', REFUSED_MESSAGE)
  link.settle('b')
  assert.deepEqual(ends, [
    ['a', 'REFUSED'],
    ['b', 'delivered'],
  ])
  assert.deepEqual(dead, ['a REFUSED'])
  assert.equal(pump.account.dead, 1)
  assert.equal(pump.deadLetters[0]?.message.id, 'a')
})

/** The next uncaught exception, kept from the test runner. */
function nextUncaught(context: TestContext): Promise<unknown> {
  const listeners = process.rawListeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  context.after(() => {
    for (const listener of listeners) process.on('uncaughtException', (...args) => void listener(...args))
  })
  return new Promise((resolve) => {
    process.once('uncaughtException', resolve)
  })
}

test('Pump is right when a callback adds, closes or throws', async (context) => {
  const { link, pump, put, up } = setUp()
  const thrown = nextUncaught(context)
  const mistake = new Error('a mistake of the application')
  up({ maxInFlight: 2 })
  void pump.add(message('a'), {}, () => {
    put('b')
    throw mistake
  })
  await turn()
  link.settle('a')
  assert.equal(await thrown, mistake)
  await turn()
  assert.deepEqual(link.inFlight, ['b'])
  void pump.add(message('c'), {}, () => void pump.close())
  await turn()
  link.settle('c')
  await pump.close()
  assert.deepEqual(pump.account.dropped, { full: 0, expired: 0, withdrawn: 0, closed: 1, damaged: 0 })
  assert.equal(pump.account.delivered, 2)
})

test('Pump.drain() resolves when nothing is pending, or gives up with its signal', async () => {
  const { link, pump, put, up } = setUp()
  await pump.drain()
  up()
  put('a')
  const patience = new AbortController()
  const impatient = pump.drain(patience.signal)
  patience.abort()
  await assert.rejects(impatient, { code: 'ABORTED' })
  await assert.rejects(pump.drain(AbortSignal.abort()), { code: 'ABORTED' })
  const drained = pump.drain()
  await turn()
  link.settle('a')
  await drained
})

test('Pump.close() drops what is pending, ends every wait and leaves no timer', async () => {
  const { clock, link, pump, ends, add, put, up } = setUp({ limits: { maxMessages: 3 } })
  up({ maxInFlight: 1 })
  put('a')
  void add('b', { priority: 'control', expiresAtMs: clock.now() + 5000 })
  put('c')
  await turn()
  const waiting = add('d')
  const drained = pump.drain()
  const closed = pump.close()
  await assert.rejects(Promise.resolve(waiting), { code: 'CLOSED' })
  await assert.rejects(drained, { code: 'CLOSED' })
  await closed
  await pump.close()
  assert.deepEqual(
    ends.toSorted(([a], [b]) => a.localeCompare(b)),
    [
      ['a', 'CLOSED'],
      ['b', 'CLOSED'],
      ['c', 'CLOSED'],
    ],
  )
  assert.equal(pump.account.dropped.closed, 3)
  assert.equal(pump.account.pending, 0)
  assert.equal(link.signal?.aborted, true)
  assert.equal(clock.timers, 0)
  assert.throws(() => add('e'), { code: 'CLOSED' })
})
