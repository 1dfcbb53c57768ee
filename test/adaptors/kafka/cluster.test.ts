import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import type { Client } from '../../../src/client/index.ts'
import { connect } from '../../../src/client/index.ts'
import type { Delivery } from '../../../src/contract/index.ts'
import type { KafkaCluster } from '../../brokers/index.ts'
import { startKafkaCluster, withoutKafka } from '../../brokers/index.ts'

const KEYS = 7
/** Nodes that end are noticed within a second or two. */
const QUICK = {
  requestTimeoutMs: 3000,
  publishTimeoutMs: 4000,
  connectTimeoutMs: 3000,
  keepAliveMs: 500,
  heartbeatIntervalMs: 200,
  sessionTimeoutMs: 2000,
  rebalanceTimeoutMs: 3000,
  commitIntervalMs: 50,
  metadataRefreshMs: 1000,
} as const

describe('kafka of three nodes', { skip: withoutKafka() }, () => {
  let cluster: KafkaCluster | undefined
  const started = () => {
    if (cluster === undefined) throw new Error('The cluster is not started')
    return cluster
  }
  before(async () => {
    cluster = await startKafkaCluster()
    await cluster.admin.allow('edge', 'read topic c.*', 'write topic c.*', 'read group c.*')
  })
  after(() => cluster?.stop())

  async function open(options: { readonly groupInstanceId?: string } = {}): Promise<Client> {
    const { pki } = started()
    return connect(started().url('mutual'), {
      tls: { ca: pki.ca, ...(await pki.client('edge')) },
      options: { ...QUICK, ...options },
      outbox: {},
    })
  }

  /**
   * Sends without a pause while `strike` happens, until messages have been acknowledged for a while after it; a group reads. Nothing
   * that was acknowledged may be lost, and the first arrivals of each key are in order.
   */
  async function survives(topic: string, strike: () => Promise<void>): Promise<void> {
    await started().admin.createTopic(topic, { partitions: 3, replicas: 3 })
    const [sender, reader] = await Promise.all([open(), open({ groupInstanceId: `${topic}-reader` })])
    const last = new Map<string, number>()
    const seen = new Set<number>()
    const faults: string[] = []
    const take = ({ payload, key = '' }: Delivery) => {
      const number = Number(Buffer.from(payload).toString())
      if (seen.has(number)) return
      seen.add(number)
      const before = last.get(key) ?? -1
      if (before > number) faults.push(`${number} of ${key} first came after ${before}`)
      last.set(key, number)
    }
    const group = await reader.subscribe(topic, take, { group: topic, maxInWork: 500 })
    const acknowledged = new Set<number>()
    const receipts: Promise<unknown>[] = []
    let next = 0
    const sendSome = async (count: number) => {
      for (let left = count; left > 0; left -= 1) {
        const number = next++
        const receipt = await sender.send({ topic, key: `k${number % KEYS}`, payload: String(number) })
        receipts.push(receipt.delivered().then(() => acknowledged.add(number)))
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const sendUntil = async (what: string, holds: () => boolean) => {
      for (let tries = 0; !holds(); tries += 1) {
        assert.ok(tries < 4000, `${what}: not within 20 s`)
        await sendSome(5)
      }
    }

    await sendUntil('messages go out and arrive', () => acknowledged.size > 500 && seen.size > 500)
    const striking = strike()
    await sendSome(200)
    await striking
    const then = acknowledged.size
    await sendUntil('messages go out again', () => acknowledged.size > then + 500)
    await Promise.all(receipts)
    assert.equal(acknowledged.size, next)
    for (let tries = 0; seen.size < next; tries += 1) {
      assert.ok(tries < 2000, `${next - seen.size} of ${next} acknowledged messages did not arrive`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.deepEqual(faults, [])
    assert.equal(sender.account.accepted, sender.account.delivered)
    await group.stop()
    await Promise.all([sender.close(), reader.close()])
  }

  test("the death of a partition's leader under load loses nothing that was acknowledged, and keeps each key's order", async () => {
    let leader = 0
    await survives('c.leader', async () => {
      leader = await started().admin.leaderOf('c.leader')
      await started().kill(leader)
    })
    await started().start(leader)
  })

  test("the death of a group's coordinator under load loses nothing, and the group reads on", async () => {
    let coordinator = 0
    await survives('c.coordinator', async () => {
      coordinator = await started().admin.coordinatorOf('c.coordinator')
      await started().kill(coordinator)
    })
    await started().start(coordinator)
  })
})
