import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'

import { ManualClock } from '../../../support/manual-clock.ts'
import { message, open, publish, subscribe, word } from './open.ts'
import { ScriptedBroker, wellBehaved } from './scripted-broker.ts'

test('the link pings while nothing is sent, and a missing answer ends it within one and a half intervals', async () => {
  const clock = new ManualClock()
  let answers = true
  const rest = wellBehaved()
  await using broker = await ScriptedBroker.start((packet, client) => {
    if (packet.cmd !== 'pingreq' || answers) rest(packet, client)
  })
  const session = await open(broker, { keepAliveSeconds: 10 }, clock)
  for (let ping = 1; ping <= 3; ping += 1) {
    clock.advance(5000)
    await broker.client.until('pingreq', ping)
    await publish(session, [message('sync')]).all
  }
  answers = false
  clock.advance(5000)
  await broker.client.until('pingreq', 4)
  clock.advance(5000)
  assert.equal((await session.lost).code, 'TIMEOUT')
  assert.equal(clock.timers, 0)
})

test('the keep-alive of the broker counts in place of ours', async () => {
  const clock = new ManualClock()
  await using broker = await ScriptedBroker.start(wellBehaved({ properties: { serverKeepAlive: 4 } }))
  const session = await open(broker, { keepAliveSeconds: 100 }, clock)
  clock.advance(2000)
  await broker.client.until('pingreq')
  await session.close()
})

test('a handler that takes long delays no ping and no publish', async () => {
  const clock = new ManualClock()
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker, { keepAliveSeconds: 10 }, clock)
  const deliveries = await subscribe(session, ['t'])
  broker.client.send({
    cmd: 'publish',
    topic: 't',
    payload: '',
    qos: 1,
    dup: false,
    retain: false,
    messageId: 1,
    properties: { subscriptionIdentifier: 1 },
  })
  const { value: slow } = await deliveries.next()
  for (let ping = 1; ping <= 5; ping += 1) {
    clock.advance(5000)
    await broker.client.until('pingreq', ping)
    assert.deepEqual((await publish(session, [message('from the handler')]).all).map(word), ['delivered'])
  }
  assert.ok(slow)
  slow.ack()
  await broker.client.until('puback')
  await session.close()
})

test('an answer that lies unread when the program was busy counts', async () => {
  const clock = new ManualClock()
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker, { keepAliveSeconds: 10 }, clock)
  clock.advance(5000)
  await broker.client.until('pingreq')
  // the answer is on its way; the clock runs ahead before it can be read
  clock.advance(5000)
  await turn()
  await turn()
  assert.deepEqual((await publish(session, [message('still alive')]).all).map(word), ['delivered'])
  await session.close()
})

test('lost tells why the broker ended the link', async () => {
  const cases = [
    [0x8e, 'LINK_LOST', /Session taken over/],
    [0x87, 'NOT_AUTHORIZED', /Not authorized/],
    [0x8b, 'LINK_LOST', /Server shutting down/],
    [0x00, 'LINK_LOST', /ended the link/],
  ] as const
  for (const [reasonCode, code, pattern] of cases) {
    await using broker = await ScriptedBroker.start(wellBehaved())
    const session = await open(broker)
    broker.client.send({ cmd: 'disconnect', reasonCode })
    const error = await session.lost
    assert.equal(error.code, code)
    assert.match(error.message, pattern)
    const { socket } = broker.client
    if (!socket.destroyed) await once(socket, 'close')
  }
})
