import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { NvMsgBrokerStatus } from '../../../src/client/nvmsgbroker/index.ts'
import type { TestBroker } from '../../brokers/index.ts'
import { startMosquitto } from '../../brokers/index.ts'
import type { FaultProxy } from '../../fault/proxy.ts'
import { startProxy } from '../../fault/proxy.ts'
import type { RowBroker } from './rows.ts'
import { rowTests } from './rows.ts'
import { connected, LIB, Log, setUp } from './support.ts'

const { OK, ERR, RECONNECTING } = NvMsgBrokerStatus
const MQTT = `${LIB}/libnvds_mqtt_proto.so`

describe('nvmsgbroker at a real Mosquitto', () => {
  let running: { broker: TestBroker; proxy: FaultProxy; rows: RowBroker } | undefined
  const started = () => {
    if (running === undefined) throw new Error('The broker is not started')
    return running
  }
  before(async () => {
    const broker = await startMosquitto()
    const proxy = await startProxy({ host: '127.0.0.1', port: broker.port('plain') })
    const rows: RowBroker = {
      address: `127.0.0.1;${proxy.port}`,
      connections: () => ({ open: proxy.connections, all: proxy.accepted }),
      quick: '',
      topic: (label) => Promise.resolve(`rows/${label}`),
      kill: () => broker.kill(),
      restart: () => broker.restart(),
    }
    running = { broker, proxy, rows }
  })
  after(async () => {
    await running?.proxy.close()
    await running?.broker.stop()
  })

  test('A5: ten messages are sent, told OK once each, and received in order with the same bytes', async (t) => {
    const site = await setUp(t)
    const handle = await connected(site, started().rows.address, MQTT)
    const received = new Log<string>()
    const subscribed = await site.library.subscribe(handle, ['topic1', 'topic2'], (_, payload, topic) =>
      received.add(`${topic} ${Buffer.from(payload).toString()}`),
    )
    assert.equal(subscribed, OK)
    const told = new Log<readonly [unknown, number]>()
    for (let index = 0; index < 10; index += 1) {
      const taken = site.library.sendAsync(
        handle,
        { topic: 'topic1', payload: `Hello${index}\n` },
        (context, status) => told.add([context, status]),
        index,
      )
      assert.equal(taken, OK)
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
    assert.equal(await site.library.disconnect(handle), OK)
    assert.deepEqual([told.items.length, received.items.length], [10, 10])
  })

  test('with an outbox, what is sent in an outage beyond the limit is taken, and delivered in order', async (t) => {
    const settings = 'auto-reconnect=1\nretry-interval=1\nmax-retry-limit=1\n'
    const site = await setUp(t, settings, { outbox: {} })
    const states = new Log<number>()
    const { address, kill, restart } = started().rows
    const handle = await connected(site, address, MQTT, (_, status) => states.add(status))
    const told = new Log<string>()
    const send = (text: string) =>
      site.library.sendAsync(handle, { topic: 'c1', payload: text }, (_, status) =>
        told.add(`${text} ${status}`),
      )
    await kill()
    await states.until(2)
    assert.deepEqual(['1', '2', '3'].map(send), [OK, OK, OK])
    assert.deepEqual(told.items, [])
    await restart()
    assert.deepEqual(await told.until(3), ['1 0', '2 0', '3 0'])
    assert.deepEqual(states.items, [RECONNECTING, ERR, OK])
  })

  test('auto-reconnect=0 tells an outage as ERR at once; it ends as any other', async (t) => {
    const site = await setUp(t, 'auto-reconnect=0\nretry-interval=1\nmax-retry-limit=3600\n')
    const states = new Log<number>()
    const { address, kill, restart } = started().rows
    const handle = await connected(site, address, MQTT, (_, status) => states.add(status))
    await kill()
    assert.deepEqual(await states.until(1), [ERR])
    assert.equal(site.library.sendAsync(handle, { topic: 't', payload: 'x' }), ERR)
    await restart()
    assert.deepEqual(await states.until(2), [ERR, OK])
  })

  test('B1: an older third field is passed over', async (t) => {
    const site = await setUp(t)
    const handle = await connected(site, `${started().rows.address};topic`, MQTT)
    assert.equal(await site.library.disconnect(handle), OK)
  })

  rowTests(MQTT, () => started().rows)
})
