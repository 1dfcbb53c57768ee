import assert from 'node:assert/strict'
import test from 'node:test'

import { connect, connectAsync, ErrorWithSubackPacket } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'

import { startEmbeddedBroker } from '../../../src/cli/demo/embedded-broker.ts'
import type { EmbeddedBrokerOptions, Refusal } from '../../../src/cli/demo/index.ts'

const own = (identity: string) => ({
  identity,
  publish: [`devices/${identity}/#`],
  subscribe: [`devices/${identity}/#`],
})

const closed = (client: MqttClient): Promise<void> => new Promise((resolve) => client.once('close', resolve))

/** The next message as topic and text. */
const nextMessage = (client: MqttClient): Promise<string> =>
  new Promise((resolve) =>
    client.once('message', (topic, payload) => resolve(`${topic} ${payload.toString()}`)),
  )

/** Starts a plaintext broker and hands it to the test with a way to come in; closes all of it afterwards. */
async function withBroker(
  options: Omit<EmbeddedBrokerOptions<'plain' | 'web'>, 'listeners'>,
  body: (
    dial: (options?: IClientOptions, scheme?: 'mqtt' | 'ws') => Promise<MqttClient>,
    refusals: Refusal[],
  ) => Promise<void>,
): Promise<void> {
  const refusals: Refusal[] = []
  const clients: MqttClient[] = []
  const broker = await startEmbeddedBroker({
    ...options,
    listeners: { plain: {}, web: { websocket: true } },
    onRefused: (refusal) => refusals.push(refusal),
  })
  const dial = async (more: IClientOptions = {}, scheme: 'mqtt' | 'ws' = 'mqtt'): Promise<MqttClient> => {
    const port = broker.port(scheme === 'mqtt' ? 'plain' : 'web')
    const client = await connectAsync(`${scheme}://127.0.0.1:${port}`, { reconnectPeriod: 0, ...more })
    client.on('error', () => undefined)
    clients.push(client)
    return client
  }
  try {
    await body(dial, refusals)
  } finally {
    await Promise.all(clients.map((client) => client.endAsync(true)))
    await broker.close()
    await broker.close()
  }
}

test('startEmbeddedBroker() carries messages between its plaintext and WebSocket listeners', () =>
  withBroker({}, async (dial) => {
    const sender = await dial()
    const receiver = await dial({}, 'ws')
    await receiver.subscribeAsync('t/+', { qos: 1 })
    const arrived = nextMessage(receiver)
    await sender.publishAsync('t/1', 'hello', { qos: 1 })
    assert.equal(await arrived, 't/1 hello')
  }))

test('the broker answers a forbidden subscription with 0x80 and grants the allowed one beside it', () =>
  withBroker({ rules: [own('one')] }, async (dial, refusals) => {
    const client = await dial({ username: 'one' })
    const refused = client.subscribeAsync(['devices/one/in', 'devices/two/in', '#'], { qos: 1 })
    await assert.rejects(refused, (error: unknown) => {
      assert.ok(error instanceof ErrorWithSubackPacket)
      assert.deepEqual(error.packet.granted, [1, 128, 128])
      return true
    })
    const arrived = nextMessage(client)
    await client.publishAsync('devices/one/in', 'x', { qos: 1 })
    assert.equal(await arrived, 'devices/one/in x')
    assert.deepEqual(
      refusals.map(({ step, identity, topic }) => [step, identity, topic]),
      [
        ['subscribe', 'one', 'devices/two/in'],
        ['subscribe', 'one', '#'],
      ],
    )
  }))

test('the broker ends a client that publishes to a topic of somebody else, and nobody gets the message', () =>
  withBroker({ rules: [own('one'), own('two')] }, async (dial, refusals) => {
    const two = await dial({ username: 'two' })
    await two.subscribeAsync('devices/two/#', { qos: 1 })
    const heard: string[] = []
    two.on('message', (topic) => heard.push(topic))
    const one = await dial({ username: 'one' })
    const ended = closed(one)
    one.publish('devices/two/in', 'x', { qos: 1 }, () => undefined)
    await ended
    const arrived = nextMessage(two)
    await two.publishAsync('devices/two/mark', 'x', { qos: 1 })
    await arrived
    assert.deepEqual(heard, ['devices/two/mark'])
    assert.deepEqual(refusals, [
      { step: 'publish', identity: 'one', topic: 'devices/two/in', reason: 'no rule allows it' },
    ])
  }))

test('the broker drops a last will to a topic that its client may not publish to', () =>
  withBroker({ rules: [own('one'), own('two')] }, async (dial, refusals) => {
    const two = await dial({ username: 'two' })
    await two.subscribeAsync('devices/two/#', { qos: 1 })
    const will = { topic: 'devices/two/will', payload: Buffer.from('x'), qos: 1, retain: false } as const
    const one = await dial({ username: 'one', will })
    const heard: string[] = []
    two.on('message', (topic) => heard.push(topic))
    one.stream.destroy()
    const arrived = nextMessage(two)
    await dial({ username: 'two', clientId: 'other' }).then((client) =>
      client.publishAsync('devices/two/mark', 'x', { qos: 1 }),
    )
    await arrived
    assert.deepEqual(heard, ['devices/two/mark'])
    assert.equal(refusals.at(0)?.topic, 'devices/two/will')
  }))

test('the broker refuses a wrong password, and a client id that belongs to another identity', () =>
  withBroker({ users: { one: 'secret', two: 'other' } }, async (dial, refusals) => {
    await assert.rejects(dial({ username: 'one', password: 'wrong' }), { code: 4 })
    await assert.rejects(dial(), { code: 4 })
    await dial({ username: 'one', password: 'secret', clientId: 'camera' })
    await assert.rejects(dial({ username: 'two', password: 'other', clientId: 'camera' }), { code: 2 })
    assert.deepEqual(
      refusals.map(({ step }) => step),
      ['connect', 'connect', 'connect'],
    )
  }))

test('the broker ends a client whose message is larger than it takes', () =>
  withBroker({ maxPayloadBytes: 1000 }, async (dial, refusals) => {
    const client = await dial()
    await client.publishAsync('t', Buffer.alloc(1000), { qos: 1 })
    const ended = closed(client)
    client.publish('t', Buffer.alloc(1001), { qos: 1 }, () => undefined)
    await ended
    assert.equal(refusals.at(0)?.reason, 'the message is too large')
  }))

test('the broker keeps what it acknowledged for a persistent session that is away, in order and once', () =>
  withBroker({}, async (dial) => {
    const session = { clientId: 'away', clean: false }
    const reader = await dial(session)
    await reader.subscribeAsync('t', { qos: 1 })
    await reader.endAsync()
    const sender = await dial()
    const sent = Array.from({ length: 300 }, (_, index) => String(index))
    await Promise.all(sent.map((text) => sender.publishAsync('t', text, { qos: 1 })))
    const heard: string[] = []
    const again = connect(`mqtt://127.0.0.1:${sender.options.port}`, { ...session, reconnectPeriod: 0 })
    const complete = new Promise<void>((resolve) => {
      again.on('message', (_topic, payload) => {
        heard.push(payload.toString())
        if (heard.length === sent.length) resolve()
      })
    })
    await complete
    await again.endAsync()
    assert.deepEqual(heard, sent)
  }))

test('the broker acknowledges a publish after it was handed to the subscribers, in the order of the publishes', () =>
  withBroker({}, async (dial) => {
    const client = await dial()
    await client.subscribeAsync('t', { qos: 1 })
    const seen: string[] = []
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'publish') seen.push(`publish ${packet.payload.toString()}`)
      if (packet.cmd === 'puback') seen.push('puback')
    })
    await client.publishAsync('t', '1', { qos: 1 })
    await client.publishAsync('t', '2', { qos: 1 })
    assert.deepEqual(seen, ['publish 1', 'puback', 'publish 2', 'puback'])
  }))

test('close() ends clients, half-open sockets and listeners', async () => {
  const broker = await startEmbeddedBroker({ listeners: { plain: {} } })
  const client = await connectAsync(`mqtt://127.0.0.1:${broker.port('plain')}`, { reconnectPeriod: 0 })
  assert.deepEqual(
    broker.connections().map(({ identity, listener, tls }) => [identity, listener, tls]),
    [['anonymous', 'plain', undefined]],
  )
  const ended = closed(client)
  await broker.close()
  await ended
  assert.deepEqual(broker.connections(), [])
  await assert.rejects(connectAsync(`mqtt://127.0.0.1:${broker.port('plain')}`, { reconnectPeriod: 0 }))
})

test('startEmbeddedBroker() says which port cannot be bound, and leaves nothing open', async () => {
  const broker = await startEmbeddedBroker({ listeners: { plain: {} } })
  await assert.rejects(
    startEmbeddedBroker({ listeners: { free: {}, taken: { port: broker.port('plain') } } }),
    {
      code: 'UNREACHABLE',
      message: `Cannot start the listener "taken": port ${broker.port('plain')} of 127.0.0.1 cannot be bound, choose another`,
    },
  )
  await broker.close()
})
