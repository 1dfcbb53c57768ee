import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { connect } from '../../../src/client/index.ts'
import { NvMsgBrokerStatus } from '../../../src/client/nvmsgbroker/index.ts'
import { writeProtobuf } from '../../../src/codec/index.ts'
import type { KafkaBroker } from '../../brokers/index.ts'
import { startKafka, withoutKafka } from '../../brokers/index.ts'
import type { RowBroker } from './rows.ts'
import { rowTests } from './rows.ts'
import { connected, LIB, Log, sent, setUp } from './support.ts'

const { OK } = NvMsgBrokerStatus
const KAFKA = `${LIB}/libnvds_kafka_proto.so`

/** A full message, as NVIDIA's programs send one. */
const FULL = '{\n  "messageid" : "84a3a0ad-7eb8-49a2-9aa7-104ded6764d0",\n  "sensor" : { "id" : "CAM_1" }\n}'

describe('nvmsgbroker at a real Kafka', { skip: withoutKafka() }, () => {
  let running: { broker: KafkaBroker; rows: RowBroker } | undefined
  const started = () => {
    if (running === undefined) throw new Error('The broker is not started')
    return running
  }
  before(async () => {
    const broker = await startKafka({ proxied: ['plain'] })
    let topics = 0
    const rows: RowBroker = {
      address: `127.0.0.1;${broker.port('plain')}`,
      connections: () => ({ open: broker.proxy('plain').connections, all: broker.proxy('plain').accepted }),
      quick: 'consumer-proto-cfg = "session.timeout.ms=6000;heartbeat.interval.ms=1000"',
      async topic(label) {
        topics += 1
        await broker.admin.createTopic(`rows.${label}.${topics}`)
        return `rows.${label}.${topics}`
      },
      kill: () => broker.kill(),
      restart: () => broker.restart(),
    }
    running = { broker, rows }
  })
  after(() => running?.broker.stop())

  for (const [row, how] of [
    ['A1', 'one after another'],
    ['A2', 'at once'],
  ] as const) {
    test(`${row}: five messages that are sent ${how} are told OK once each, and received in order with the same bytes`, async (t) => {
      const site = await setUp(t)
      const { rows } = started()
      const [topic, other] = [await rows.topic('a'), await rows.topic('a')]
      const handle = await connected(site, rows.address, KAFKA)
      const received = new Log<string>()
      const take = (_: number, payload: Uint8Array, from: string) =>
        received.add(`${from} ${Buffer.from(payload).toString('latin1')}`)
      assert.equal(await site.library.subscribe(handle, [topic, other], take), OK)
      const payloads = [0, 1, 2, 3, 4].map((index) => Buffer.from(`${index}\0\xff${FULL}`, 'latin1'))
      const told: number[] = []
      if (how === 'at once') {
        told.push(
          ...(await Promise.all(payloads.map((payload) => sent(site.library, handle, topic, payload)))),
        )
      } else {
        for (const payload of payloads) told.push(await sent(site.library, handle, topic, payload))
      }
      assert.deepEqual(told, [OK, OK, OK, OK, OK])
      assert.deepEqual(
        await received.until(5),
        payloads.map((payload) => `${topic} ${payload.toString('latin1')}`),
      )
      assert.equal(await site.library.disconnect(handle), OK)
      assert.equal(received.items.length, 5)
    })
  }

  test('B3: the key of a message is the text at partition-key, by default sensor.id; of protobuf, its sensor', async (t) => {
    const site = await setUp(t)
    const { broker, rows } = started()
    const topic = await rows.topic('b3')
    const byDefault = await connected(site, rows.address, KAFKA)
    const flat = await connected(
      site,
      rows.address,
      KAFKA,
      undefined,
      await site.config('partition-key = sensorId'),
    )
    const minimal = '{"version":"4.0","sensorId":"CAM_2","objects":[]}'
    const frame = writeProtobuf({
      timestamp: '2026-01-02T03:04:05.678Z',
      sensorId: 'CAM_3',
      frame: 1,
      objects: [],
    })
    await using client = await connect(broker.url('plain'))
    await using subscription = await client.subscribe(topic)
    for (const payload of [FULL, minimal, '{"sensor":{"id":7}}', frame, 'no JSON'])
      assert.equal(await sent(site.library, byDefault, topic, payload), OK)
    for (const payload of [FULL, minimal]) assert.equal(await sent(site.library, flat, topic, payload), OK)
    const keys: (string | undefined)[] = []
    for await (const delivery of subscription) {
      keys.push(delivery.key)
      delivery.ack()
      if (keys.length === 7) break
    }
    assert.deepEqual(keys, ['CAM_1', undefined, undefined, 'CAM_3', undefined, undefined, 'CAM_2'])
    await site.library.disconnect(byDefault)
    await site.library.disconnect(flat)
  })

  test('B2: a proto-cfg that is wrong gives NULL, one without quotes connects', async (t) => {
    const site = await setUp(t)
    const at = async (line: string) =>
      site.library.connect(started().rows.address, KAFKA, null, await site.config(line))
    for (const line of [
      'proto-cfg = "no.such.key=1; security.protocol=ssl"',
      `proto-cfg = "client.id=${'x'.repeat(1020)}"`,
      'proto-cfg = "securty.protocol=ssl"',
      'producer-proto-cfg = "acks"',
    ])
      assert.equal(await at(line), null, line)
    for (const line of ['proto-cfg = acks=all', 'proto-cfg = "acks=all;client.id=a=b;" ', 'proto-cfg = ""']) {
      const handle = await at(line)
      assert.ok(handle !== null, `${line}: ${String(site.errors.at(-1))}`)
      await site.library.disconnect(handle)
    }
  })

  rowTests(KAFKA, () => started().rows)
})
