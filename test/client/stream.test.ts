import assert from 'node:assert/strict'
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'

import type { Client } from '../../src/client/index.ts'
import { connect } from '../../src/client/index.ts'
import { createReadStream, createWriteStream } from '../../src/client/stream.ts'
import type { Delivery } from '../../src/contract/index.ts'

let brokers = 0
/** An address of a broker in memory that nobody else uses. */
const freshAddress = () => `memory:streams-${(brokers += 1)}`
const textOf = ({ payload }: Delivery) => Buffer.from(payload).toString()

async function* numbers(count: number): AsyncGenerator<string> {
  for (let number = 0; number < count; number += 1) yield String(number)
}

/** Reads so many deliveries of a topic, acknowledging each. */
async function collect(client: Client, topic: string, count: number): Promise<() => Promise<Delivery[]>> {
  const subscription = await client.subscribe(topic)
  return async () => {
    const found: Delivery[] = []
    for await (const delivery of subscription) {
      found.push(delivery)
      delivery.ack()
      if (found.length === count) break
    }
    return found
  }
}

test('a pipeline through createWriteStream() is done when every message is safe, in their order', async () => {
  await using client = await connect(freshAddress())
  const received = await collect(client, 'a', 5000)
  const [deliveries] = await Promise.all([
    received(),
    pipeline(numbers(5000), createWriteStream(client, { topic: 'a', maxInFlight: 10 })),
  ])
  assert.equal(client.account.delivered, 5000)
  assert.deepEqual(
    deliveries.map(textOf),
    Array.from({ length: 5000 }, (_, index) => String(index)),
  )
})

test('createWriteStream() takes whole messages, and its options fill in what they leave open', async () => {
  await using client = await connect(freshAddress())
  const received = await collect(client, '#', 2)
  const stream = createWriteStream(client, { topic: 'a', key: 'gate' })
  stream.write({ payload: Buffer.from('one'), headers: { h: '1' }, id: 'id-1' })
  stream.end({ payload: 'two', topic: 'b', key: 'door' })
  await once(stream, 'finish')
  const [one, two] = await received()
  assert.deepEqual([one?.topic, one?.key, one?.id, one?.headers], ['a', 'gate', 'id-1', { h: '1' }])
  assert.deepEqual([two?.topic, two?.key], ['b', 'door'])
})

test('createWriteStream() passes other components over, and counts them', async () => {
  await using client = await connect(freshAddress())
  const stream = createWriteStream(client, { topic: 'a', componentId: 2 })
  for (const componentId of [1, 2, undefined, 2]) stream.write({ payload: 'x', componentId })
  stream.end()
  await once(stream, 'finish')
  assert.equal(client.account.accepted, 2)
  assert.equal(stream.skipped, 2)
})

test('createWriteStream() is destroyed with the error of the first message that cannot be sent', async () => {
  await using client = await connect(freshAddress())
  const written = pipeline(
    ['fine', { payload: 'x', topic: 'a/#' }],
    createWriteStream(client, { topic: 'a' }),
  )
  await assert.rejects(written, { code: 'INVALID_TOPIC' })
  for (const chunk of [42, {}, true]) {
    const stream = createWriteStream(client, { topic: 'a' })
    stream.end(chunk)
    const [error] = await once(stream, 'error')
    assert.equal(error.code, 'INVALID_MESSAGE')
  }
  const nowhere = pipeline(['x'], createWriteStream(client))
  await assert.rejects(nowhere, { code: 'INVALID_MESSAGE', message: /topic/ })
  assert.equal(client.current.state, 'connected', 'a client that was given stays open')
})

test('createWriteStream() holds the writer back while as many messages as it may are not safe', async () => {
  await using client = await connect('mqtt://127.0.0.1:1', { lazy: true })
  const stream = createWriteStream(client, { topic: 'a', maxInFlight: 3 })
  await once(stream, 'ready')
  for (let index = 0; index < 20; index += 1) stream.write('x')
  assert.equal(stream.write('x'), false)
  assert.equal(client.account.accepted, 3)
  stream.destroy()
  await once(stream, 'close')
  await client.close({ drainTimeoutMs: 0 })
})

test('a stream that is given an address opens a connection of its own, and closes it at its end', async () => {
  const address = freshAddress()
  await using other = await connect(address)
  const received = await collect(other, 'a', 3)
  const stream = createWriteStream(address, { topic: 'a', connect: { share: true } })
  const [deliveries] = await Promise.all([received(), pipeline(numbers(3), stream)])
  assert.equal(deliveries.length, 3)
  assert.ok(stream.closed)

  const unreachable = createWriteStream('mqtt://127.0.0.1:1', {
    topic: 'a',
    connect: { connectTimeoutMs: 50 },
  })
  const [error] = await once(unreachable, 'error')
  assert.equal(error.code, 'UNREACHABLE')
})

test("createReadStream() gives deliveries that stay the broker's until they are acknowledged", async () => {
  await using client = await connect(freshAddress())
  const source = createReadStream(client, 'a', { group: 'g', maxInWork: 2 })
  await once(source, 'ready')
  await client.sendMany(['1', '2', '3'].map((payload) => ({ topic: 'a', payload })))
  const seen: string[] = []
  for await (const delivery of source) {
    seen.push(textOf(delivery))
    if (seen.length === 2) break
    delivery.ack()
  }
  assert.deepEqual(seen, ['1', '2'])
  const again = createReadStream(client, 'a', { group: 'g', acknowledgeOnRead: true })
  for await (const delivery of again) {
    seen.push(textOf(delivery))
    if (seen.length === 4) break
  }
  assert.deepEqual(seen, ['1', '2', '2', '3'])
})

test('a wrong option is the error of the stream, with its name', async () => {
  await using client = await connect(freshAddress())
  const sink = createWriteStream(client, JSON.parse('{ "topik": "a" }'))
  const [writeError] = await once(sink, 'error')
  assert.match(writeError.message, /"topik" is unknown.*topic/)
  const source = createReadStream(client, 'a', { maxInWork: 0 })
  const [readError] = await once(source, 'error')
  assert.equal(readError.code, 'INVALID_OPTIONS')
})
