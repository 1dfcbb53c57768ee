import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import type { NvMsgBroker, NvMsgBrokerHandle } from '../../../src/client/nvmsgbroker/index.ts'
import { createNvMsgBroker, NvMsgBrokerStatus } from '../../../src/client/nvmsgbroker/index.ts'
import { freePorts, startMosquitto } from '../../brokers/index.ts'

const { OK, ERR, RECONNECTING, NOT_SUPPORTED } = NvMsgBrokerStatus
const MQTT = '/opt/nvidia/deepstream/deepstream/lib/libnvds_mqtt_proto.so'
const MEMORY = 'libnvds_memory_proto.so'

async function folder(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'backhaul-nvmsgbroker-'))
  t.after(() => rm(path, { recursive: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return path
}

/** Something that grows, and that a test waits for. */
class Log<T> {
  readonly items: T[] = []
  readonly #grown = new EventEmitter()

  readonly add = (item: T): void => {
    this.items.push(item)
    this.#grown.emit('item')
  }

  async until(count: number): Promise<T[]> {
    while (this.items.length < count) await once(this.#grown, 'item', { signal: AbortSignal.timeout(20_000) })
    return this.items
  }
}

async function setUp(
  t: TestContext,
  settings = 'auto-reconnect=1\nretry-interval=1\nmax-retry-limit=3600\n',
) {
  const path = await folder(t, {
    'cfg_nvmsgbroker.txt': `[nvmsgbroker]\n${settings}`,
    'cfg_mqtt.txt': '[message-broker]\nshare-connection = 1\n',
    'cfg_alone.txt': '[message-broker]\n',
  })
  const errors: unknown[] = []
  const library = createNvMsgBroker({
    settingsFile: join(path, 'cfg_nvmsgbroker.txt'),
    connectTimeoutMs: 3000,
    env: {},
    onError: (error) => errors.push(error),
  })
  return { path, library, errors, shared: join(path, 'cfg_mqtt.txt') }
}

async function connected(
  library: NvMsgBroker,
  ...args: Parameters<NvMsgBroker['connect']>
): Promise<NvMsgBrokerHandle> {
  const handle = await library.connect(...args)
  assert.ok(handle !== null)
  return handle
}

test('A5: ten messages are sent, told OK once each, and received in order with the same bytes', async (t) => {
  const broker = await startMosquitto()
  t.after(() => broker.stop())
  const { library } = await setUp(t)
  const handle = await connected(library, `127.0.0.1;${broker.port('plain')}`, MQTT)
  const received = new Log<string>()
  const subscribed = await library.subscribe(handle, ['topic1', 'topic2'], (_, payload, topic) =>
    received.add(`${topic} ${Buffer.from(payload).toString()}`),
  )
  assert.equal(subscribed, OK)
  const told = new Log<readonly [unknown, number]>()
  for (let index = 0; index < 10; index += 1) {
    const sent = library.sendAsync(
      handle,
      { topic: 'topic1', payload: `Hello${index}\n` },
      (context, status) => told.add([context, status]),
      index,
    )
    assert.equal(sent, OK)
  }
  assert.equal(told.items.length, 0)
  assert.deepEqual(
    await told.until(10),
    Array.from({ length: 10 }, (_, index) => [index, OK]),
  )
  assert.deepEqual(
    await received.until(10),
    Array.from({ length: 10 }, (_, index) => `topic1 Hello${index}\n`),
  )
  assert.equal(await library.disconnect(handle), OK)
  assert.deepEqual([told.items.length, received.items.length], [10, 10])
})

test('A8: the version is 2.0, and a signature has 64 digits exactly where sharing is on', async (t) => {
  const { library, path, shared } = await setUp(t)
  assert.equal(library.version(), '2.0')
  assert.match(library.signature('h;1', MQTT, shared), /^[0-9a-f]{64}$/)
  assert.equal(library.signature('h;1', MQTT, shared), library.signature('h;1', MQTT, shared))
  assert.notEqual(library.signature('h;2', MQTT, shared), library.signature('h;1', MQTT, shared))
  assert.equal(library.signature('h;1', MQTT, join(path, 'cfg_alone.txt')), '')
  assert.equal(library.signature('h;1', MQTT), '')
})

test('B4: two who share have one connection, which ends with the last of them', async (t) => {
  const broker = await startMosquitto()
  t.after(() => broker.stop())
  const { library, shared, path } = await setUp(t)
  const address = `127.0.0.1;${broker.port('plain')}`
  const [first, second] = await Promise.all([
    connected(library, address, MQTT, undefined, shared),
    connected(library, address, MQTT, undefined, shared),
  ])
  assert.equal(first, second)
  const alone = await connected(library, address, MQTT, undefined, join(path, 'cfg_alone.txt'))
  assert.notEqual(alone, first)
  // the third caller's client is the second of the broker
  const one = broker.log.length
  assert.equal(library.sendAsync(alone, { topic: 't', payload: 'x' }), OK)
  assert.equal(await library.disconnect(alone), OK)
  await broker.waitForLog(/disconnected/, { from: Math.max(0, one - 20) })
  assert.equal(broker.log.filter((line) => /New client connected/.test(line)).length, 2)
  assert.equal(await library.disconnect(first), OK)
  assert.equal(library.sendAsync(second, { topic: 't', payload: 'x' }), OK)
  assert.equal(await library.disconnect(second), OK)
  assert.equal(await library.disconnect(second), ERR)
  assert.equal(library.sendAsync(second, { topic: 't', payload: 'x' }), ERR)
})

test('B5: every callback of a topic is called once, also those that come later', async (t) => {
  const { library } = await setUp(t)
  const handle = await connected(library, 'nvmsgbroker-b5', MEMORY)
  const calls = new Log<string>()
  const callback = (_: number, payload: Uint8Array, topic: string, context: unknown) =>
    calls.add(`${String(context)} ${topic} ${Buffer.from(payload).toString()}`)
  assert.equal(await library.subscribe(handle, ['a'], callback, 'first'), OK)
  assert.equal(await library.subscribe(handle, ['a'], callback, 'second'), OK)
  assert.equal(await library.subscribe(handle, ['a'], callback, 'second'), OK)
  assert.equal(await library.subscribe(handle, ['b'], callback, 'later'), OK)
  // a subscription that fails leaves the others as they are
  assert.equal(await library.subscribe(handle, ['x/#/y'], callback), ERR)
  for (const topic of ['a', 'nobody', 'b']) library.sendAsync(handle, { topic, payload: topic })
  assert.deepEqual((await calls.until(3)).toSorted(), ['first a a', 'later b b', 'second a a'])
  await library.disconnect(handle)
})

test('B6: an outage is told as RECONNECTING once and OK once, and the subscription lives on', async (t) => {
  const broker = await startMosquitto()
  t.after(() => broker.stop())
  const { library } = await setUp(t)
  const states = new Log<number>()
  const handle = await connected(library, `127.0.0.1;${broker.port('plain')}`, MQTT, (_, status) =>
    states.add(status),
  )
  const received = new Log<string>()
  await library.subscribe(handle, ['c2d'], (_, payload) => received.add(Buffer.from(payload).toString()))
  await broker.kill()
  assert.deepEqual(await states.until(1), [RECONNECTING])
  assert.equal(library.sendAsync(handle, { topic: 'c2d', payload: 'lost' }), ERR)
  assert.equal(await library.subscribe(handle, ['other'], () => undefined), ERR)
  await broker.restart()
  assert.deepEqual(await states.until(2), [RECONNECTING, OK])
  await broker.waitForLog(/Received SUBSCRIBE|SUBSCRIBE|New client connected/)
  assert.equal(library.sendAsync(handle, { topic: 'c2d', payload: 'again' }), OK)
  assert.deepEqual(await received.until(1), ['again'])
  await library.disconnect(handle)
  assert.deepEqual(states.items, [RECONNECTING, OK])
})

test('B7: an outage beyond the limit is told as ERR once; it goes on dialling all the same', async (t) => {
  const broker = await startMosquitto()
  t.after(() => broker.stop())
  const { library } = await setUp(t, 'auto-reconnect=1\nretry-interval=1\nmax-retry-limit=1\n')
  const states = new Log<number>()
  const handle = await connected(library, `127.0.0.1;${broker.port('plain')}`, MQTT, (_, status) =>
    states.add(status),
  )
  await broker.kill()
  assert.deepEqual(await states.until(2), [RECONNECTING, ERR])
  assert.equal(library.sendAsync(handle, { topic: 't', payload: 'x' }), ERR)
  await broker.restart()
  assert.deepEqual(await states.until(3), [RECONNECTING, ERR, OK])
  await library.disconnect(handle)
})

test('B8: a broker that is not there at the start gives NULL', async (t) => {
  const { library, errors } = await setUp(t)
  const [port] = await freePorts(1)
  assert.equal(await library.connect(`127.0.0.1;${port}`, MQTT), null)
  assert.equal(errors.length, 1)
})

test('B8: a library that is missing or unknown, and a file that is not there, give NULL', async (t) => {
  const { library, path } = await setUp(t)
  assert.equal(await library.connect('h;1', null), null)
  assert.equal(await library.connect('h;1', '/lib/libother.so'), null)
  assert.equal(await library.connect('h;1', MQTT, null, join(path, 'none.txt')), null)
  assert.equal(await library.connect('h', MQTT), null)
})

test('sendAsync() and subscribe() refuse what the original refuses', async (t) => {
  const { library } = await setUp(t)
  const handle = await connected(library, 'nvmsgbroker-refusals', MEMORY)
  assert.equal(library.sendAsync(null, { topic: 't', payload: 'x' }), ERR)
  assert.equal(library.sendAsync(handle, { topic: 't', payload: '' }), ERR)
  assert.equal(library.sendAsync(handle, { topic: '', payload: 'x' }), ERR)
  assert.equal(await library.subscribe(handle, [], () => undefined), ERR)
  assert.equal(await library.subscribe(handle, ['t'], null), ERR)
  assert.equal(await library.subscribe(null, ['t'], () => undefined), ERR)
  await library.disconnect(handle)
  assert.equal(await library.disconnect(null), ERR)
  assert.equal(NOT_SUPPORTED, 3)
})

test('C12: forty connections that are ended at once do not hang', async (t) => {
  const { library } = await setUp(t)
  for (let count = 0; count < 40; count += 1) {
    assert.equal(await library.disconnect(await library.connect('nvmsgbroker-c12', MEMORY)), OK)
  }
})
