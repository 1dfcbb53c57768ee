import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import type { Deliveries, Delivery } from '../../../../src/contract/index.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { message, NEVER, open, publish, subscribe } from './open.ts'
import type { ScriptedClient } from './scripted-broker.ts'
import { ScriptedBroker, wellBehaved } from './scripted-broker.ts'

async function take(deliveries: Deliveries, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const { value, done } = await deliveries.next()
    if (done === true) assert.fail('the stream has ended')
    taken.push(value)
  }
  return taken
}

function send(
  client: ScriptedClient,
  topic: string,
  messageId: number,
  more: { qos?: 0 | 1 | 2; dup?: boolean; subscription?: number } = {},
): void {
  const { qos = 1, dup = false, subscription } = more
  client.send({
    cmd: 'publish',
    topic,
    payload: `${messageId}`,
    qos,
    dup,
    retain: false,
    ...(qos > 0 && { messageId }),
    ...(subscription !== undefined && { properties: { subscriptionIdentifier: subscription } }),
  })
}

function text(delivery: Delivery): string {
  return Buffer.from(delivery.payload).toString()
}

for (const qos of [1, 2] as const) {
  test(`ack() in any order is told to the broker in order of receipt, as a finished prefix, QoS ${qos}`, async () => {
    await using broker = await ScriptedBroker.start(wellBehaved())
    const session = await open(broker, { qos })
    const deliveries = await subscribe(session, ['t'])
    for (const id of [11, 12, 13, 14]) send(broker.client, 't', id, { qos, subscription: 1 })
    const [first, second, third, fourth] = await take(deliveries, 4)
    third?.ack()
    second?.ack()
    second?.ack()
    first?.ack()
    const answer = qos === 1 ? 'puback' : 'pubrec'
    await broker.client.until(answer, 3)
    const ids = (): (number | undefined)[] =>
      broker.client.packets.filter(({ cmd }) => cmd === answer).map(({ messageId }) => messageId)
    assert.deepEqual(ids(), [11, 12, 13])
    fourth?.ack()
    await broker.client.until(answer, 4)
    assert.deepEqual(ids(), [11, 12, 13, 14])
    await session.close()
  })
}

test('subscribe() hands out at most maxInWork at once', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker)
  const deliveries = await subscribe(session, ['t'], 2)
  for (const id of [1, 2, 3]) send(broker.client, 't', id, { subscription: 1 })
  const [first] = await take(deliveries, 2)
  let third: Delivery | undefined
  const waiting = take(deliveries, 1).then(([delivery]) => {
    third = delivery
  })
  await publish(session, [message('other')]).all
  assert.equal(third, undefined)
  first?.ack()
  await waiting
  assert.equal(third && text(third), '3')
  await session.close()
})

test('nack() gives a delivery again after its delay, as redelivered, and acknowledges nothing', async () => {
  const clock = new ManualClock()
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker, { keepAliveSeconds: 0 }, clock)
  const deliveries = await subscribe(session, ['t'], 1)
  send(broker.client, 't', 1, { subscription: 1 })
  send(broker.client, 't', 2, { subscription: 1 })
  const [first] = await take(deliveries, 1)
  first?.nack(500)
  first?.ack()
  const [second] = await take(deliveries, 1)
  second?.ack()
  clock.advance(500)
  const [again] = await take(deliveries, 1)
  assert.deepEqual([again && text(again), again?.redelivered, first?.redelivered], ['1', true, false])
  assert.equal(broker.client.packets.filter(({ cmd }) => cmd === 'puback').length, 0)
  again?.ack()
  await broker.client.until('puback', 2)
  await session.close()
  assert.equal(clock.timers, 0)
})

test('a repeat of QoS 2 under one packet id is delivered once, and PUBREL of any id is answered', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker, { qos: 2 })
  const deliveries = await subscribe(session, ['t'])
  const { client } = broker
  send(client, 't', 1, { qos: 2, subscription: 1 })
  send(client, 't', 1, { qos: 2, subscription: 1, dup: true })
  const [first] = await take(deliveries, 1)
  first?.ack()
  await client.until('pubrec')
  send(client, 't', 1, { qos: 2, subscription: 1, dup: true })
  await client.until('pubrec', 2)
  client.send({ cmd: 'pubrel', messageId: 1 })
  client.send({ cmd: 'pubrel', messageId: 77 })
  const last = await client.until('pubcomp', 2)
  assert.equal(last.messageId, 77)
  send(client, 't', 2, { qos: 2, subscription: 1 })
  const [next] = await take(deliveries, 1)
  assert.equal(next && text(next), '2')
  await session.close()
})

test('a broker that sends more than our Receive Maximum is told it, and taken all the same', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker, { receiveMaximum: 3 })
  const deliveries = await subscribe(session, ['t'])
  const connect = await broker.client.until('connect')
  assert.ok(connect.cmd === 'connect' && connect.properties?.receiveMaximum === 3)
  for (const id of [1, 2, 3, 4]) send(broker.client, 't', id, { subscription: 1 })
  for (const delivery of await take(deliveries, 4)) delivery.ack()
  await broker.client.until('puback', 4)
  await session.close()
})

test('what a resumed session brings before subscribe() is held for it, and given up after 30 s', async () => {
  const clock = new ManualClock()
  const rest = wellBehaved({ sessionPresent: true })
  await using broker = await ScriptedBroker.start((packet, client) => {
    rest(packet, client)
    if (packet.cmd !== 'connect') return
    // the identifier is of an earlier link and means nothing now
    send(client, 'commands/1', 1, { subscription: 7 })
    send(client, 'left/behind', 2, { subscription: 8 })
    send(client, 'commands/2', 3, { subscription: 1 })
  })
  const session = await open(broker, { sessionExpirySeconds: 60, keepAliveSeconds: 0 }, clock)
  assert.equal(session.facts.resumed, true)
  await publish(session, [message('other')]).all
  const wrong = await subscribe(session, ['other/#'])
  const deliveries = await subscribe(session, ['commands/+'])
  const taken = await take(deliveries, 2)
  assert.deepEqual(taken.map(text), ['1', '3'])
  for (const delivery of taken) delivery.ack()
  await broker.client.until('puback', 1)
  await publish(session, [message('other')]).all
  const acknowledged = broker.client.packets.filter(({ cmd }) => cmd === 'puback')
  assert.equal(acknowledged.length, 1, 'nobody has seen the second one')
  clock.advance(30_000)
  await broker.client.until('puback', 3)
  const ids = broker.client.packets.filter(({ cmd }) => cmd === 'puback').map(({ messageId }) => messageId)
  assert.deepEqual(ids, [1, 2, 3])
  // from then on nothing that is not wanted takes a place
  send(broker.client, 'left/behind', 4, { subscription: 8 })
  await broker.client.until('puback', 4)
  void wrong.return?.()
  await session.close()
  assert.equal(clock.timers, 0)
})

test('overlapping subscriptions get a message once each, by the identifiers that the broker names', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker)
  const wide = await subscribe(session, ['a/#', 'b'])
  const narrow = await subscribe(session, ['a/+'])
  const packets = broker.client.packets.filter((packet) => packet.cmd === 'subscribe')
  const identifiers = packets.map((packet) => packet.properties?.subscriptionIdentifier)
  assert.deepEqual(identifiers, [1, 2, 3])
  broker.client.send({
    cmd: 'publish',
    topic: 'a/x',
    payload: 'both',
    qos: 1,
    dup: false,
    retain: false,
    messageId: 5,
    properties: { subscriptionIdentifier: [1, 3] },
  })
  const [one] = await take(wide, 1)
  const [other] = await take(narrow, 1)
  one?.ack()
  await publish(session, [message('sync')]).all
  assert.equal(broker.client.packets.filter(({ cmd }) => cmd === 'puback').length, 0)
  other?.ack()
  await broker.client.until('puback')
  await session.close()
})

test('return() unsubscribes, finishes what was not read, and leaves the same filter of another reader alone', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker)
  const one = await subscribe(session, ['t'])
  const two = await subscribe(session, ['t', 'u'])
  send(broker.client, 't', 1, { subscription: 1 })
  const [taken] = await take(two, 1)
  taken?.ack()
  await one.return?.()
  await broker.client.until('puback')
  assert.equal(broker.client.packets.filter(({ cmd }) => cmd === 'unsubscribe').length, 0)
  await two.return?.()
  const packet = await broker.client.until('unsubscribe')
  assert.ok(packet.cmd === 'unsubscribe')
  assert.deepEqual(packet.unsubscriptions, ['t', 'u'])
  send(broker.client, 't', 2, { subscription: 1 })
  await broker.client.until('puback', 2)
  await session.close()
})

test('nack() after return() does not hold up the acknowledgements of others', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker)
  const left = await subscribe(session, ['t'])
  const stays = await subscribe(session, ['u'])
  send(broker.client, 't', 1, { subscription: 1 })
  send(broker.client, 'u', 2, { subscription: 2 })
  const [late] = await take(left, 1)
  const [other] = await take(stays, 1)
  await left.return?.()
  late?.nack()
  other?.ack()
  await broker.client.until('puback', 2)
  await session.close()
})

test('subscribe() gives each refusal its code and scope, and gives back what was granted', async () => {
  const cases = [
    [5, 0x87, 'NOT_AUTHORIZED'],
    [5, 0x8f, 'INVALID_TOPIC'],
    [5, 0x9e, 'UNSUPPORTED'],
    [5, 0x80, 'REFUSED'],
    [4, 0x80, 'NOT_AUTHORIZED'],
  ] as const
  for (const [level, code, expected] of cases) {
    const rest = wellBehaved()
    await using broker = await ScriptedBroker.start((packet, client) => {
      if (packet.cmd !== 'subscribe') return rest(packet, client)
      const granted = packet.subscriptions.map(({ topic }) => (topic === 'bad' ? code : 1))
      client.send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted })
    }, level)
    const session = await open(broker, { version: level === 5 ? '5' : '3.1.1' })
    await assert.rejects(subscribe(session, ['good', 'bad']), { code: expected, scope: 'topic' })
    await broker.client.until('unsubscribe')
    await session.close()
  }
})

test('subscribe() with a group is a shared subscription, and UNSUPPORTED where the broker has none', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker)
  await session.subscribe(['a/+'], { group: 'g', maxInWork: 1 }, NEVER)
  const packet = await broker.client.until('subscribe')
  assert.ok(packet.cmd === 'subscribe' && packet.subscriptions[0]?.topic === '$share/g/a/+')
  const grouped = (group: string) => session.subscribe(['a'], { group, maxInWork: 1 }, NEVER)
  await assert.rejects(grouped('a/b'), { code: 'INVALID_TOPIC' })
  await session.close()
  await broker.stop()
  await using other = await ScriptedBroker.start(
    wellBehaved({ properties: { sharedSubscriptionAvailable: false } }),
  )
  const without = await open(other)
  await assert.rejects(without.subscribe(['a'], { group: 'g', maxInWork: 1 }, NEVER), { code: 'UNSUPPORTED' })
  await without.close()
  await other.stop()
})

test('a flood of QoS 0 that nobody reads pauses the socket, pings go on, and reading lifts it', async () => {
  const clock = new ManualClock()
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker, { receiveMaximum: 10, keepAliveSeconds: 10 }, clock)
  const deliveries = await subscribe(session, ['t'], 1000)
  for (let id = 0; id < 500; id += 1) {
    broker.client.send({
      cmd: 'publish',
      topic: 't',
      payload: Buffer.alloc(100_000, id),
      qos: 0,
      dup: false,
      retain: false,
      properties: { subscriptionIdentifier: 1 },
    })
  }
  await take(deliveries, 1)
  // each turn reads one chunk: long enough for the queue to fill
  for (let count = 0; count < 200; count += 1) await turn()
  for (let look = 1; look <= 20; look += 1) {
    clock.advance(5000)
    await broker.client.until('pingreq', look)
  }
  assert.ok(broker.client.socket.writableLength > 1_000_000, 'the broker could write everything')
  for (const delivery of await take(deliveries, 499)) delivery.ack()
  assert.equal(broker.client.socket.writableLength, 0)
  await session.close()
})
