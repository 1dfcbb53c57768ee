import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import amqplib from 'amqplib'

import { NvMsgBrokerStatus } from '../../../src/client/nvmsgbroker/index.ts'
import type { RabbitmqBroker } from '../../brokers/index.ts'
import { startRabbitmq, withoutRabbitmq } from '../../brokers/index.ts'
import type { RowBroker } from './rows.ts'
import { rowTests } from './rows.ts'
import { connected, LIB, Log, sent, setUp } from './support.ts'

const { OK } = NvMsgBrokerStatus
const AMQP = `${LIB}/libnvds_amqp_proto.so`

describe('nvmsgbroker at a real RabbitMQ', { skip: withoutRabbitmq() }, () => {
  let running: { broker: RabbitmqBroker; rows: RowBroker } | undefined
  const started = () => {
    if (running === undefined) throw new Error('The broker is not started')
    return running
  }
  before(async () => {
    // a queue that takes what nobody else does: a message that no queue takes is refused
    const broker = await startRabbitmq({
      users: { ann: { password: 'secret' } },
      queues: [{ name: 'kept', topics: ['rows.#'] }],
      proxied: ['plain'],
    })
    const rows: RowBroker = {
      address: `127.0.0.1;${broker.port('plain')};ann;secret`,
      connections: () => ({ open: broker.proxy('plain').connections, all: broker.proxy('plain').accepted }),
      quick: '',
      topic: (label) => Promise.resolve(`rows.${label}`),
      kill: () => broker.kill(),
      restart: () => broker.restart(),
    }
    running = { broker, rows }
  })
  after(() => running?.broker.stop())

  test('A3: ten messages are told OK and received; they are persistent, and of content type text/plain', async (t) => {
    const site = await setUp(t)
    const { broker, rows } = started()
    const handle = await connected(site, rows.address, AMQP)
    const received = new Log<string>()
    const take = (_: number, payload: Uint8Array) => received.add(Buffer.from(payload).toString())
    assert.equal(await site.library.subscribe(handle, ['rows.a3', 'rows.other'], take), OK)
    const payloads = Array.from({ length: 10 }, (_, index) => `Hello\0${index}\n`)
    for (const payload of payloads) assert.equal(await sent(site.library, handle, 'rows.a3', payload), OK)
    assert.deepEqual(await received.until(10), payloads)
    assert.equal(await site.library.disconnect(handle), OK)
    const foreign = await amqplib.connect(broker.url('plain').replace('//', '//ann:secret@'))
    const channel = await foreign.createChannel()
    const kept = await channel.get('kept', { noAck: true })
    await foreign.close()
    assert.ok(kept !== false)
    assert.deepEqual([kept.properties.contentType, kept.properties.deliveryMode], ['text/plain', 2])
  })

  test("B1: user and password may stand in the adaptor's file", async (t) => {
    const site = await setUp(t)
    const [host, port] = started().rows.address.split(';')
    const config = await site.config('username = ann\npassword = secret')
    const handle = await connected(site, `${host};${port}`, AMQP, null, config)
    assert.equal(await site.library.disconnect(handle), OK)
    assert.equal(await site.library.connect(`${host};${port}`, AMQP), null)
  })

  rowTests(AMQP, () => started().rows)
})
