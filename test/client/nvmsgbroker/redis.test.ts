import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { NvMsgBrokerStatus } from '../../../src/client/nvmsgbroker/index.ts'
import type { RedisServer } from '../../brokers/index.ts'
import { startRedis, without } from '../../brokers/index.ts'
import type { RowBroker } from './rows.ts'
import { rowTests } from './rows.ts'
import { connected, LIB, Log, sent, setUp } from './support.ts'

const { OK } = NvMsgBrokerStatus
const REDIS = `${LIB}/libnvds_redis_proto.so`

describe('nvmsgbroker at a real Redis', { skip: without('redis-server', 'redis-cli') }, () => {
  let running: { broker: RedisServer; rows: RowBroker } | undefined
  const started = () => {
    if (running === undefined) throw new Error('The broker is not started')
    return running
  }
  before(async () => {
    const broker = await startRedis({ proxied: ['plain'] })
    const rows: RowBroker = {
      address: `127.0.0.1;${broker.port('plain')}`,
      connections: () => ({ open: broker.proxy('plain').connections, all: broker.proxy('plain').accepted }),
      quick: '',
      topic: (label) => Promise.resolve(`rows:${label}`),
      kill: () => broker.kill(),
      restart: () => broker.restart(),
    }
    running = { broker, rows }
  })
  after(() => running?.broker.stop())

  test('A4: five messages are told OK, lie under the field metadata, and are acknowledged in the group', async (t) => {
    const site = await setUp(t)
    const { broker, rows } = started()
    const handle = await connected(site, rows.address, REDIS)
    const received = new Log<string>()
    const take = (_: number, payload: Uint8Array) => received.add(Buffer.from(payload).toString())
    assert.equal(await site.library.subscribe(handle, ['topic3', 'topic4'], take), OK)
    for (let index = 0; index < 5; index += 1)
      assert.equal(await sent(site.library, handle, 'topic3', `{"index":${index}}`), OK)
    assert.deepEqual(
      await received.until(5),
      Array.from({ length: 5 }, (_, index) => `{"index":${index}}`),
    )
    assert.equal(await site.library.disconnect(handle), OK)
    const entries = (await broker.cli('XRANGE', 'topic3', '-', '+')).split('\n')
    assert.equal(entries.filter((line) => line.endsWith('metadata')).length, 5)
    assert.match(await broker.cli('XINFO', 'GROUPS', 'topic3'), /redis-consumer-group/)
    assert.match(await broker.cli('XPENDING', 'topic3', 'redis-consumer-group'), /^0/)
  })

  rowTests(REDIS, () => started().rows)
})
