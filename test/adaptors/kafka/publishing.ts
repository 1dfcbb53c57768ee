import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { KafkaBroker } from '../../brokers/index.ts'
import type { KafkaDriver } from './support.ts'
import { dialAs, message, publish, subscribe, take, text, tlsFrom, words } from './support.ts'

/** What publishing owes beyond the conformance suite, at a real broker. */
export function publishingTests(started: () => KafkaBroker, driver: KafkaDriver = 'javascript'): void {
  const dial = dialAs(driver)
  const plain = (options: Readonly<Record<string, unknown>> = {}) => dial(started().url('plain'), { options })
  const numbers = (topic: string, count: number, size: number) =>
    Array.from({ length: count }, (_, index) =>
      message(topic, String(index).padEnd(size), { key: `k${index % 5}` }),
    )

  test('publish() refuses a message that the broker finds too large, and delivers the others in order', async () => {
    await started().admin.createTopic('p.small', { configs: { 'max.message.bytes': '3000' } })
    const link = await plain()
    const reader = await subscribe(link, ['p.small'])
    const batch = numbers('p.small', 300, 100)
    for (const place of [0, 77, 299]) {
      batch.splice(place, 1, message('p.small', 'x'.repeat(9000), { key: 'k1' }))
    }
    // three batches on their way at once, with sequence numbers that follow one another
    const all = await Promise.all([0, 100, 200].map((from) => publish(link, batch.slice(from, from + 100))))
    const refused = words(all.flat()).flatMap((word, index) => (word === 'delivered' ? [] : [[index, word]]))
    assert.deepEqual(
      refused,
      [0, 77, 299].map((index) => [index, 'refused message MESSAGE_TOO_LARGE']),
    )
    const arrived = (await take(reader, 297)).map((delivery) => Number(text(delivery)))
    assert.deepEqual(
      arrived,
      batch.flatMap(({ payload }) =>
        payload.length > 8000 ? [] : [Number(Buffer.from(payload).toString())],
      ),
    )
    await link.close()
  })

  test('publish() keeps the order of each key over partitions, with several requests on their way', async () => {
    await started().admin.createTopic('p.keys', { partitions: 6 })
    const link = await plain()
    const reader = await subscribe(link, ['p.keys'], undefined, 5000)
    const batch = Array.from({ length: 4000 }, (_, index) =>
      message('p.keys', String(index), { key: `key-${index % 37}` }),
    )
    const sending: Promise<unknown>[] = []
    for (let from = 0; from < batch.length; from += 50)
      sending.push(publish(link, batch.slice(from, from + 50)))
    const last = new Map<string, number>()
    for (const delivery of await take(reader, batch.length)) {
      const number = Number(text(delivery))
      const key = delivery.key ?? ''
      assert.ok((last.get(key) ?? -1) < number, `${number} of ${key} came after ${last.get(key)}`)
      last.set(key, number)
    }
    assert.equal(last.size, 37)
    await Promise.all(sending)
    await link.close()
  })

  test('publish() refuses what a compacted topic does not take, and delivers the others', async () => {
    await started().admin.createTopic('p.compact', { configs: { 'cleanup.policy': 'compact' } })
    const link = await plain()
    const batch = ['a', undefined, 'b', undefined, 'c'].map((key) => message('p.compact', 'x', { key }))
    const refused = 'refused message INVALID_MESSAGE'
    const outcomes = await publish(link, batch)
    assert.deepEqual(words(outcomes), ['delivered', refused, 'delivered', refused, 'delivered'])
    const [, second] = outcomes
    assert.ok(second?.kind === 'refused')
    // librdkafka hands on the number only, not the broker's words
    const reason = driver === 'javascript' ? /INVALID_RECORD: .*key/ : /INVALID_RECORD: .*record/
    assert.match(second.error.brokerReason ?? '', reason)
    await link.close()
  })

  test('publish() delivers what shares a batch with something refused, at once and in order', async () => {
    await started().admin.createTopic('p.mates', { configs: { 'cleanup.policy': 'compact' } })
    const link = await plain()
    const reader = await subscribe(link, ['p.mates'])
    const batch = numbers('p.mates', 300, 20).map((one, index) =>
      [3, 150, 299].includes(index) ? message('p.mates', 'x') : one,
    )
    const all = await Promise.all([0, 100, 200].map((from) => publish(link, batch.slice(from, from + 100))))
    const refused = words(all.flat()).flatMap((word, index) => (word === 'delivered' ? [] : [[index, word]]))
    assert.deepEqual(
      refused,
      [3, 150, 299].map((index) => [index, 'refused message INVALID_MESSAGE']),
    )
    const arrived = (await take(reader, 297)).map((delivery) => Number(text(delivery)))
    assert.deepEqual(
      arrived,
      arrived.toSorted((one, two) => one - two),
    )
    await link.close()
  })

  test('publish() refuses an unknown topic, and holds up no other meanwhile', async () => {
    await started().admin.createTopic('p.known')
    const link = await plain({ topicTimeoutMs: 300 })
    const unknown = publish(link, [message('p.unknown', 'x')])
    assert.deepEqual(words(await publish(link, [message('p.known', 'x')])), ['delivered'])
    assert.deepEqual(words(await unknown), ['refused topic REFUSED'])
    // the topic is made: the parked message goes out
    await started().admin.createTopic('p.unknown')
    assert.deepEqual(words(await publish(link, [message('p.unknown', 'x')])), ['delivered'])
    await link.close()
  })

  test('publish() of a client that may write to no topic refuses it, and the link lives', async () => {
    const { admin, pki } = started()
    await admin.createTopic('p.none')
    await admin.allow('p-none', 'read topic p.none')
    const link = await dial(started().url('mutual'), { tls: tlsFrom(pki.ca, await pki.client('p-none')) })
    const reader = await subscribe(link, ['p.none'])
    assert.deepEqual(words(await publish(link, [message('p.none', 'x')])), ['refused topic NOT_AUTHORIZED'])
    // another one publishes, and a right that comes later counts at the next try
    await admin.allow('p-none', 'write topic p.none')
    for (let tries = 0; tries < 50; tries += 1) {
      const [word] = words(await publish(link, [message('p.none', 'y')]))
      if (word === 'delivered') break
      assert.equal(word, 'refused topic NOT_AUTHORIZED')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.equal(text((await take(reader, 1))[0] ?? assert.fail()), 'y')
    await link.close()
  })

  for (const compression of ['gzip', 'snappy', 'lz4']) {
    test(`publish() compresses with ${compression}, and it is read`, async () => {
      const topic = `p.${compression}`
      await started().admin.createTopic(topic)
      const link = await plain({ compression })
      const reader = await subscribe(link, [topic])
      const batch = numbers(topic, 200, 500)
      assert.ok(words(await publish(link, batch)).every((word) => word === 'delivered'))
      assert.deepEqual(
        (await take(reader, 200)).map(text),
        batch.map(({ payload }) => Buffer.from(payload).toString()),
      )
      await link.close()
    })
  }

  for (const options of [{ acks: '1' }, { acks: '0' }, { idempotence: false }, { maxInFlightRequests: 1 }]) {
    test(`publish() delivers in order with ${JSON.stringify(options)}`, async () => {
      const topic = `p.${Object.entries(options).flat().join('-')}`
      await started().admin.createTopic(topic)
      const link = await plain(options)
      const reader = await subscribe(link, [topic])
      const batch = numbers(topic, 500, 20)
      const sending = [0, 100, 200, 300, 400].map((from) => publish(link, batch.slice(from, from + 100)))
      for (const outcomes of await Promise.all(sending)) {
        assert.ok(words(outcomes).every((word) => word === 'delivered'))
      }
      const arrived = (await take(reader, 500)).map((delivery) => Number(text(delivery)))
      assert.deepEqual(
        arrived,
        arrived.toSorted((one, two) => one - two),
      )
      await link.close()
    })
  }

  test('publish() sends its turn in few requests, and what has no key to one partition', async () => {
    await started().admin.createTopic('p.turn', { partitions: 8 })
    const link = await plain()
    const reader = await subscribe(link, ['p.turn'], undefined, 1000)
    await publish(
      link,
      Array.from({ length: 500 }, (_, index) => message('p.turn', String(index))),
    )
    const arrived = (await take(reader, 500)).map((delivery) => Number(text(delivery)))
    assert.deepEqual(
      arrived,
      arrived.toSorted((one, two) => one - two),
    )
    await link.close()
  })

  test('publish() does not take a partition that the broker has made since for a stranger', async () => {
    const { admin } = started()
    await admin.createTopic('p.grow', { partitions: 1 })
    const link = await plain({ metadataRefreshMs: 50 })
    await publish(link, numbers('p.grow', 10, 5))
    await admin.addPartitions('p.grow', 4)
    const reader = await subscribe(link, ['p.grow'])
    // known anew when it is used the next time after its age is up
    for (let round = 0; round < 40; round += 1) {
      await publish(link, numbers('p.grow', 10, 5))
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const arrived = await take(reader, 400)
    assert.equal(arrived.length, 400)
    assert.ok((await admin.ends('p.grow')).filter((end) => end > 0).length > 1, 'all went to one partition')
    await link.close()
  })
}
