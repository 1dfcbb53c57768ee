import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'

import type { ParkedEvent } from '../../src/outbox/index.ts'
import { FAILED, REFUSED_MESSAGE, REFUSED_TOPIC, turn } from './scripted-link.ts'
import { setUp } from './set-up.ts'

test('Pump parks messages of a refused topic, and lets every other topic go on', async () => {
  const { link, pump, ends, put, up } = setUp()
  up()
  put('a@secret', 'b@open', 'c@secret')
  await turn()
  link.settle('a', REFUSED_TOPIC)
  link.settle('c', REFUSED_TOPIC)
  link.settle('b')
  put('d@secret', 'e@open')
  await turn()
  assert.deepEqual(link.inFlight, ['e'])
  assert.equal(pump.account.parked, 3)
  assert.equal(pump.account.pending, 4)
  assert.deepEqual(ends, [['b', 'delivered']])
  const [parked] = pump.parkedTopics
  assert.deepEqual([parked?.topic, parked?.priority, parked?.messages], ['secret', 'telemetry', 3])
  assert.equal(parked?.error?.code, 'REFUSED')
})

test('Pump tries the first parked message every 30 s, then sends all in order before newer ones', async () => {
  const { clock, link, pump, put, up } = setUp()
  up()
  put('a@s', 'b@s', 'c@s')
  await turn()
  link.settle('b', REFUSED_TOPIC)
  link.settle('a', REFUSED_TOPIC)
  link.settle('c', REFUSED_TOPIC)
  clock.advance(29_999)
  await turn()
  assert.deepEqual(link.inFlight, [])
  clock.advance(1)
  await turn()
  assert.deepEqual(link.inFlight, ['a'])
  put('d@s')
  await turn()
  assert.deepEqual(link.inFlight, ['a'], 'newer ones go behind')
  link.settle('a', REFUSED_TOPIC)
  clock.advance(30_000)
  await turn()
  link.settle('a')
  await turn()
  assert.deepEqual(link.inFlight, ['b', 'c', 'd'])
  put('e@s')
  await turn()
  assert.deepEqual(link.inFlight, ['b', 'c', 'd', 'e'])
  assert.deepEqual(pump.parkedTopics, [])
  assert.equal(pump.account.parked, 0)
  link.settleAll()
  clock.advance(30_000)
  assert.equal(clock.timers, 0)
})

test('Pump tries a parked topic at once on a new link', async () => {
  const { clock, link, pump, put, up } = setUp()
  up()
  put('a@s', 'b@s')
  await turn()
  link.settleAll(REFUSED_TOPIC)
  clock.advance(5000)
  pump.linkDown()
  up()
  await turn()
  assert.deepEqual(link.inFlight, ['a'])
  pump.linkDown()
  link.open.length = 0
  up()
  await turn()
  assert.deepEqual(link.inFlight, ['a'], 'a try that the link took with it is made again')
})

test('Pump lets the others go on over a broker that ends the link at each refusal', async () => {
  const { clock, link, pump, put, up } = setUp()
  const refuseAndEnd = () => {
    link.settle('a', REFUSED_TOPIC)
    pump.linkDown()
    link.open.length = 0
    clock.advance(300)
    up()
  }
  up()
  put('a@s', 'b@s')
  await turn()
  refuseAndEnd()
  for (let round = 0; round < 3; round += 1) {
    put(`x${round}@t`)
    await turn()
    assert.deepEqual(link.inFlight, [`x${round}`])
    link.settle(`x${round}`)
    clock.advance(30_000)
    await turn()
    assert.deepEqual(link.inFlight, ['a'], 'it is tried when its time has come')
    refuseAndEnd()
  }
})

test('Pump puts a message that failed before a parked one of its topic', async () => {
  const { clock, link, pump, put, up } = setUp()
  up()
  put('a@s', 'b@s', 'c@s')
  await turn()
  link.settle('b', REFUSED_TOPIC)
  link.settle('a', FAILED)
  link.settle('c', FAILED)
  clock.advance(100)
  await turn()
  assert.deepEqual(link.inFlight, [])
  assert.equal(pump.account.parked, 3)
  clock.advance(30_000)
  await turn()
  assert.deepEqual(link.inFlight, ['a'])
  link.settleAll()
  await turn()
  assert.deepEqual(link.inFlight, ['b', 'c'])
})

test('Pump tries the next parked message when the first one fails or is refused for itself', async () => {
  const { clock, link, put, up } = setUp()
  up()
  put('a@s', 'b@s')
  await turn()
  link.settleAll(REFUSED_TOPIC)
  clock.advance(30_000)
  await turn()
  link.settle('a', FAILED)
  clock.advance(100)
  await turn()
  assert.deepEqual(link.inFlight, ['a'])
  link.settle('a', REFUSED_MESSAGE)
  await turn()
  assert.deepEqual(link.inFlight, ['b'])
})

test('Pump shares the link between what was parked and other topics', async () => {
  const { clock, link, put, up } = setUp()
  up({ maxInFlight: 4 })
  put('p1@s', 'p2@s', 'p3@s', 'p4@s')
  await turn()
  link.settleAll(REFUSED_TOPIC)
  clock.advance(30_000)
  await turn()
  put('n1@u', 'n2@u', 'n3@u', 'n4@u', 'n5@u')
  await turn()
  assert.deepEqual(link.inFlight, ['p1', 'n1', 'n2', 'n3'])
  link.settleAll()
  await turn()
  assert.equal(link.inFlight.filter((id) => id.startsWith('p')).length, 2)
})

test('Pump counts a message of a refused topic as dead without parkRefused', async () => {
  const { clock, link, pump, ends, put, up } = setUp({ parkRefused: false })
  up()
  put('a@s')
  await turn()
  link.settle('a', REFUSED_TOPIC)
  assert.deepEqual(ends, [['a', 'REFUSED']])
  assert.equal(pump.account.dead, 1)
  assert.equal(clock.timers, 0)
})

test('Pump tells of parked topics and of what is sent again on its diagnostics channels', async (context) => {
  const events: unknown[] = []
  const listen = (event: unknown) => events.push(event)
  const names = ['backhaul:outbox:parked', 'backhaul:outbox:resent']
  for (const name of names) subscribe(name, listen)
  context.after(() => names.forEach((name) => unsubscribe(name, listen)))
  const { clock, link, pump, put, up } = setUp()
  up()
  put('a@s', 'b@u')
  await turn()
  link.settle('a', REFUSED_TOPIC)
  clock.advance(5000)
  pump.linkDown()
  up()
  await turn()
  const refusal = REFUSED_TOPIC.kind === 'refused' ? REFUSED_TOPIC.error : assert.fail()
  const parked = { topic: 's', priority: 'telemetry', error: refusal } satisfies ParkedEvent
  assert.deepEqual(events, [parked, { messages: 2 }])
})

test('Pump with `block` refuses messages of a refused topic when the share of what is parked is full, and lets one adder of several topics go on', async () => {
  const { clock, link, pump, put, add, up } = setUp({ limits: { maxMessages: 4, maxParkedMessages: 2 } })
  up()
  put('a@s', 'b@s')
  await turn()
  link.settleAll(REFUSED_TOPIC)
  for (let round = 0; round < 20; round += 1) {
    assert.throws(() => add(`c${round}@s`), { code: 'OUTBOX_FULL', message: /refuses this topic/ })
    put(`x${round}@t`, `y${round}@t`)
    await turn()
    link.settleAll()
    await turn()
  }
  const { accepted, delivered, parked, dropped } = pump.account
  assert.deepEqual([accepted, delivered, parked, dropped.full], [62, 40, 2, 20])
  clock.advance(30_000)
  await turn()
  link.settle('a')
  await turn()
  // the topic is open again
  put('d@s')
  for (const name of ['b', 'd']) {
    await turn()
    assert.ok(link.inFlight.includes(name), `${name} of ${link.inFlight.join()}`)
    link.settle(name)
  }
  assert.equal(pump.account.pending, 0)
})

test('Pump with `block` refuses who waits for room when that can only come from a refused topic', async () => {
  const { link, pump, put, add, up } = setUp({ limits: { maxMessages: 2, maxParkedMessages: 1 } })
  up()
  put('a@s', 'b@s')
  await turn()
  const third = add('c@s')
  const fourth = add('d@t')
  assert.ok(third !== undefined && fourth !== undefined, 'they wait')
  const refused = assert.rejects(third, { code: 'OUTBOX_FULL' })
  link.settleAll(REFUSED_TOPIC)
  await refused
  await fourth
  assert.equal(pump.account.parked, 2)
})
