import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ManualClock } from '../../../support/manual-clock.ts'
import { message, open, publish, word } from './open.ts'
import type { Script } from './scripted-broker.ts'
import { ScriptedBroker, wellBehaved } from './scripted-broker.ts'

/** Answers PUBLISH with the reason code that its payload says. */
function codes(): Script {
  const rest = wellBehaved({ acknowledges: false })
  return (packet, client) => {
    rest(packet, client)
    if (packet.cmd !== 'publish') return
    const reasonCode = Number(packet.payload.toString())
    client.send({
      cmd: packet.qos === 1 ? 'puback' : 'pubrec',
      messageId: packet.messageId ?? 0,
      reasonCode,
      ...(reasonCode > 0 && { properties: { reasonString: 'since I say so' } }),
    })
  }
}

function numbers(count: number, topic = 't'): ReturnType<typeof message>[] {
  return Array.from({ length: count }, (_, index) => message(topic, `${index}`))
}

test('publish() keeps to the Receive Maximum of the broker, in order', async () => {
  await using broker = await ScriptedBroker.start(
    wellBehaved({ acknowledges: false, properties: { receiveMaximum: 3 } }),
  )
  const session = await open(broker)
  assert.equal(session.facts.sendMaximum, 3)
  const { all, outcomes } = publish(session, numbers(10))
  const seen: string[] = []
  for (let count = 1; count <= 10; count += 1) {
    const packet = await broker.client.until('publish', count)
    assert.ok(packet.cmd === 'publish')
    seen.push(packet.payload.toString())
    const inFlight = broker.client.packets.filter(({ cmd }) => cmd === 'publish').length
    assert.ok(inFlight - outcomes.length <= 3)
    if (count >= 3) {
      const first = broker.client.packets.filter(({ cmd }) => cmd === 'publish')[count - 3]
      broker.client.send({ cmd: 'puback', messageId: first?.messageId ?? 0, reasonCode: 0 })
    }
  }
  assert.deepEqual(
    seen,
    numbers(10).map(({ payload }) => Buffer.from(payload).toString()),
  )
  for (const packet of broker.client.packets.filter(({ cmd }) => cmd === 'publish').slice(-2)) {
    broker.client.send({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: 0 })
  }
  assert.equal((await all).length, 10)
  await session.close()
})

for (const qos of [1, 2] as const) {
  test(`publish() with QoS ${qos} gives each reason code its outcome and scope`, async () => {
    await using broker = await ScriptedBroker.start((packet, client) => {
      codes()(packet, client)
      if (packet.cmd === 'pubrel')
        client.send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0, reasonCode: 0 })
    })
    const session = await open(broker, { qos })
    const cases: [code: number, expected: string][] = [
      [0x00, 'delivered'],
      [0x10, 'delivered'],
      [0x80, 'failed REFUSED'],
      [0x83, 'failed REFUSED'],
      [0x87, 'refused topic NOT_AUTHORIZED'],
      [0x90, 'refused message INVALID_TOPIC'],
      [0x97, 'failed REFUSED'],
      [0x99, 'refused message INVALID_MESSAGE'],
    ]
    for (const [code, expected] of cases) {
      const [outcome] = await publish(session, [message('t', `${code}`)]).all
      assert.equal(word(outcome), expected, `0x${code.toString(16)}`)
      if (code >= 0x80 && outcome?.kind !== 'delivered') {
        assert.match(outcome?.error.brokerReason ?? '', /^.+: since I say so$/)
      }
    }
    await session.close()
  })
}

test('publish() fails what came later of a key when one of it failed, and nothing else', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved({ acknowledges: false }))
  const session = await open(broker)
  const { all, order } = publish(session, [
    message('t', '0', 'a'),
    message('t', '1', 'a'),
    message('t', '2', 'b'),
    message('u', '3', 'a'),
    message('t', '4', 'a'),
  ])
  await broker.client.until('publish', 5)
  const ids = broker.client.packets
    .filter(({ cmd }) => cmd === 'publish')
    .map(({ messageId }) => messageId ?? 0)
  broker.client.send({ cmd: 'puback', messageId: ids[1] ?? 0, reasonCode: 0x97 })
  for (const index of [0, 2, 3, 4])
    broker.client.send({ cmd: 'puback', messageId: ids[index] ?? 0, reasonCode: 0 })
  const outcomes = (await all).map(word)
  assert.deepEqual(outcomes, ['delivered', 'failed REFUSED', 'delivered', 'delivered', 'failed REFUSED'])
  assert.deepEqual(order, [1, 4, 0, 2, 3])
  await session.close()
})

test('publish() refuses a message over the Maximum Packet Size of the broker without sending it', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved({ properties: { maximumPacketSize: 200 } }))
  const session = await open(broker)
  const batch = [message('t', 'small'), message('t', 'x'.repeat(300)), message('t', 'small too')]
  const outcomes = await publish(session, batch).all
  assert.deepEqual(outcomes.map(word), ['delivered', 'refused message MESSAGE_TOO_LARGE', 'delivered'])
  assert.equal(broker.client.packets.filter(({ cmd }) => cmd === 'publish').length, 2)
  await session.close()
})

test('publish() fails what is unsettled when its signal aborts, with the later ones of the key, in flight or waiting', async () => {
  await using broker = await ScriptedBroker.start(
    wellBehaved({ acknowledges: false, properties: { receiveMaximum: 2 } }),
  )
  const session = await open(broker)
  const controller = new AbortController()
  const first = publish(session, [message('t', '1', 'a'), message('t', '2', 'b')], controller.signal)
  const second = publish(session, [message('t', '3', 'a'), message('t', '4', 'c'), message('t', '5', 'b')])
  await broker.client.until('publish', 2)
  controller.abort()
  assert.deepEqual((await first.all).map(word), ['failed ABORTED', 'failed ABORTED'])
  assert.deepEqual(
    Array.from({ length: 3 }, (_, index) => word(second.outcomes[index])),
    ['failed ABORTED', 'open', 'failed ABORTED'],
  )
  // the places of the aborted ones are free only after the broker's word on them
  const [one] = broker.client.packets.filter(({ cmd }) => cmd === 'publish')
  broker.client.send({ cmd: 'puback', messageId: one?.messageId ?? 0, reasonCode: 0 })
  const third = await broker.client.until('publish', 3)
  assert.ok(third.cmd === 'publish' && third.payload.toString() === '4' && third.messageId === one?.messageId)
  broker.client.send({ cmd: 'puback', messageId: third.messageId ?? 0, reasonCode: 0 })
  await second.all
  const late = publish(session, [message('t', '6')], AbortSignal.abort())
  assert.deepEqual((await late.all).map(word), ['failed ABORTED'])
  await broker.stop()
  assert.equal((await session.lost).code, 'LINK_LOST')
})

test('publish() fails everything when the link is lost, and whatever comes later', async () => {
  await using broker = await ScriptedBroker.start(
    wellBehaved({ acknowledges: false, properties: { receiveMaximum: 5 } }),
  )
  const session = await open(broker)
  const { all } = publish(session, numbers(10))
  await broker.client.until('publish', 5)
  broker.client.socket.destroy()
  assert.deepEqual(new Set((await all).map(word)), new Set(['failed LINK_LOST']))
  assert.deepEqual((await publish(session, numbers(2)).all).map(word), [
    'failed LINK_LOST',
    'failed LINK_LOST',
  ])
  assert.equal((await session.lost).code, 'LINK_LOST')
  await session.close()
})

test('publish() ends the link when the oldest message is older than publishTimeoutMs', async () => {
  const clock = new ManualClock()
  await using broker = await ScriptedBroker.start(wellBehaved({ acknowledges: false }))
  const session = await open(broker, { publishTimeoutMs: 5000, keepAliveSeconds: 0 }, clock)
  const first = publish(session, [message('t', '1')])
  await broker.client.until('publish', 1)
  clock.advance(4000)
  const second = publish(session, [message('t', '2')])
  assert.equal(first.outcomes.length, 0)
  clock.advance(1000)
  assert.deepEqual((await first.all).map(word), ['failed LINK_LOST'])
  assert.deepEqual((await second.all).map(word), ['failed LINK_LOST'])
  assert.equal((await session.lost).code, 'TIMEOUT')
  assert.equal(clock.timers, 0)
  await session.close()
})

test('publish() with QoS 2 is delivered at PUBCOMP, and a resumed session releases what an earlier link left', async () => {
  const script = wellBehaved({ sessionPresent: true, properties: { receiveMaximum: 4 } })
  await using broker = await ScriptedBroker.start(script)
  const session = await open(broker, { qos: 2, sessionExpirySeconds: 60 })
  const outcomes = await publish(session, numbers(6)).all
  assert.deepEqual(new Set(outcomes.map(word)), new Set(['delivered']))
  const order = broker.client.packets
    .map(({ cmd }) => cmd)
    .filter((cmd) => cmd === 'publish' || cmd === 'pubrel')
  assert.deepEqual(order.slice(0, 5), ['pubrel', 'pubrel', 'pubrel', 'pubrel', 'publish'])
  assert.equal(order.filter((cmd) => cmd === 'pubrel').length, 4 + 6)
  await session.close()
})

test('publish() lowers QoS 2 to what the broker takes, and dial() refuses a broker that would lose messages', async () => {
  await using one = await ScriptedBroker.start(wellBehaved({ properties: { maximumQoS: 1 } }))
  const session = await open(one, { qos: 2 })
  await publish(session, [message('t', '1')]).all
  const packet = await one.client.until('publish')
  assert.ok(packet.cmd === 'publish' && packet.qos === 1)
  await session.close()
  await one.stop()

  await using zero = await ScriptedBroker.start(
    wellBehaved({ properties: { maximumQoS: 0, retainAvailable: false } }),
  )
  await assert.rejects(open(zero, { qos: 1 }), { code: 'UNSUPPORTED', message: /set qos to 0/ })
  await assert.rejects(open(zero, { qos: 0, retain: true }), {
    code: 'UNSUPPORTED',
    message: /set retain to false/,
  })
  await zero.stop()
})

test('close() settles what is on its way first, and leaves a broker that does not answer after 5 s', async () => {
  const clock = new ManualClock()
  await using broker = await ScriptedBroker.start(wellBehaved({ acknowledges: false }))
  const session = await open(broker, { keepAliveSeconds: 0 }, clock)
  const one = publish(session, [message('t', '1')])
  const packet = await broker.client.until('publish')
  const closed = session.close()
  assert.equal(session.close(), closed)
  assert.deepEqual((await publish(session, [message('t', 'late')]).all).map(word), ['failed CLOSED'])
  broker.client.send({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: 0 })
  assert.deepEqual((await one.all).map(word), ['delivered'])
  await closed
  assert.equal((await session.lost).code, 'CLOSED')
  assert.equal(broker.client.packets.at(-1)?.cmd, 'disconnect')

  const stubborn = await open(broker, { keepAliveSeconds: 0 }, clock)
  const lost = publish(stubborn, [message('t', '2')])
  await broker.client.until('publish')
  const leaving = stubborn.close()
  clock.advance(5000)
  assert.deepEqual((await lost.all).map(word), ['failed CLOSED'])
  await leaving
  assert.equal(clock.timers, 0)
})

test('publish() takes a PUBACK of every length that MQTT 5 allows, and its reason', async () => {
  const tails = [[], [0], [0x10], [0x10, 0], [0x97], [0x97, 0], [0x10, 4, 0x1f, 0, 1, 0x61]]
  await using broker = await ScriptedBroker.start(wellBehaved({ acknowledges: false }))
  const session = await open(broker)
  for (const [index, tail] of tails.entries()) {
    const { all } = publish(session, [message(`t/${index}`)])
    const { messageId = 0 } = await broker.client.until('publish', index + 1)
    broker.client.raw(Buffer.of(0x40, 2 + tail.length, messageId >> 8, messageId & 255, ...tail))
    assert.equal((await all).map(word)[0]?.split(' ')[0], tail[0] === 0x97 ? 'failed' : 'delivered')
  }
  await session.close()
})
