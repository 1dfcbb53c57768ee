import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'

import { connect } from '../../src/client/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'

/** A broker in memory that nobody else knows. */
function fresh(): string {
  return `memory:${randomUUID()}`
}

test('send() resolves once the broker has acknowledged, and a subscriber has the bytes', async () => {
  await using client = await connect(fresh())
  await using subscription = await client.subscribe('cameras/+/detections')
  const receipt = await client.send({
    topic: 'cameras/7/detections',
    payload: new Uint8Array([0, 255, 128]),
    headers: { a: 'b' },
    key: 'seven',
  })
  await receipt.delivered()
  const { value: delivery } = await subscription.next()
  assert.ok(delivery)
  assert.deepEqual([...delivery.payload], [0, 255, 128])
  assert.equal(delivery.topic, 'cameras/7/detections')
  assert.equal(delivery.id, receipt.id)
  assert.equal(delivery.key, 'seven')
  assert.deepEqual(delivery.headers, { a: 'b' })
  delivery.ack()
  assert.equal(client.account.delivered, 1)
})

test('sendMany() keeps the order and gives a receipt for each', async () => {
  await using client = await connect(fresh())
  await using subscription = await client.subscribe(['numbers'])
  const messages = Array.from({ length: 50 }, (_, index) => ({ topic: 'numbers', payload: String(index) }))
  const receipts = await client.sendMany(messages)
  assert.equal(new Set(receipts.map(({ id }) => id)).size, 50)
  const got: string[] = []
  for await (const delivery of subscription) {
    delivery.ack()
    if (got.push(Buffer.from(delivery.payload).toString()) === 50) break
  }
  assert.deepEqual(
    got,
    messages.map(({ payload }) => payload),
  )
})

test('sendMany() accepts nothing when one message is wrong', async () => {
  await using client = await connect(fresh())
  await assert.rejects(
    client.sendMany([
      { topic: 'a', payload: '1' },
      { topic: 'a/#', payload: '2' },
    ]),
    { code: 'INVALID_TOPIC' },
  )
  assert.equal(client.account.accepted, 0)
})

test('a handler acknowledges by returning, and is given again what it threw at', async () => {
  await using client = await connect(fresh())
  const seen: string[] = []
  let finish = () => {}
  const twice = new Promise<void>((resolve) => (finish = resolve))
  const subscription = await client.subscribe(
    'work',
    (delivery) => {
      seen.push(`${Buffer.from(delivery.payload).toString()} ${delivery.redelivered}`)
      if (seen.length === 1) throw new Error('not now')
      finish()
    },
    { redeliveryDelayMs: 1 },
  )
  await client.send({ topic: 'work', payload: 'x' })
  await twice
  await subscription.unsubscribe()
  await subscription.done
  assert.deepEqual(seen, ['x false', 'x true'])
})

test('several components share one client, each subscriber gets all', async () => {
  await using client = await connect(fresh())
  const subscriptions = await Promise.all([1, 2, 3].map(() => client.subscribe('news')))
  await client.send({ topic: 'news', payload: 'hello' })
  for (const subscription of subscriptions) {
    const { value } = await subscription.next()
    assert.equal(Buffer.from(value?.payload ?? []).toString(), 'hello')
    value?.ack()
    await subscription.unsubscribe()
  }
})

test('share: true uses one connection for equal options, and the last close ends it', async () => {
  const address = fresh()
  const first = await connect(address, { share: true })
  const second = await connect(address, { share: true })
  const other = await connect(address)
  assert.equal(first.current.state, 'connected')
  await first.close()
  assert.equal(second.current.state, 'connected')
  await second.send({ topic: 'a', payload: 'still there' })
  await second.close()
  assert.equal(second.current.state, 'closed')
  assert.equal(other.current.state, 'connected')
  await other.close()
})

test('close() waits for what is on its way, and everything afterwards is refused', async () => {
  const client = await connect(fresh())
  const sent = Array.from({ length: 100 }, (_, index) => client.send({ topic: 'a', payload: String(index) }))
  await client.close()
  await Promise.all(sent)
  assert.equal(client.account.delivered, 100)
  await assert.rejects(client.send({ topic: 'a', payload: '' }), { code: 'CLOSED' })
  await assert.rejects(client.subscribe('a'), { code: 'CLOSED' })
  await client.close()
})

test('close() waits for running handlers, which may still send, and hands nothing more out', async () => {
  const address = fresh()
  const client = await connect(address)
  await using cloud = await connect(address)
  await using replies = await cloud.subscribe('replies')
  let begun: () => void = () => {}
  const running = new Promise<void>((resolve) => (begun = resolve))
  let goOn: () => void = () => {}
  const gate = new Promise<void>((resolve) => (goOn = resolve))
  const seen: string[] = []
  await client.subscribe('commands', async ({ payload }) => {
    seen.push(Buffer.from(payload).toString())
    begun()
    await gate
    await client.send({ topic: 'replies', payload: 'done' })
  })
  await cloud.send({ topic: 'commands', payload: 'one' })
  await cloud.send({ topic: 'commands', payload: 'two' })
  await running
  const closing = client.close()
  goOn()
  await closing
  const { value } = await replies.next()
  assert.equal(Buffer.from(value?.payload ?? []).toString(), 'done')
  assert.deepEqual(seen, ['one'])
})

test('close() of a client that shares its connection ends its subscriptions and no others', async () => {
  const address = fresh()
  const leaving = await connect(address, { share: true })
  await using staying = await connect(address, { share: true })
  await using kept = await staying.subscribe('a')
  const left = await leaving.subscribe('a')
  await leaving.close()
  assert.equal((await left.next()).done, true)
  await staying.send({ topic: 'a', payload: 'x' })
  const { value } = await kept.next()
  assert.equal(value?.topic, 'a')
})

test('status() begins with the current state and ends with closed', async () => {
  const client = await connect(fresh())
  const states: string[] = []
  const reading = (async () => {
    for await (const { state } of client.status()) states.push(state)
  })()
  await client.close()
  await reading
  assert.deepEqual(states, ['connected', 'closed'])
})

test('outbox: {} accepts in memory before the broker has answered', async () => {
  await using client = await connect(fresh(), { outbox: {}, lazy: true })
  const receipt = await client.send({ topic: 'a', payload: 'x', id: 'mine' })
  assert.equal(receipt.id, 'mine')
  assert.equal(client.account.pending, 1)
  await receipt.delivered()
  await receipt.delivered()
  assert.equal(client.account.delivered, 1)
})

const MISTAKES: readonly (readonly [address: string, options: object, code: string, phrase: RegExp])[] = [
  ['mqqt://host', {}, 'INVALID_ADDRESS', /"mqqt" is unknown, did you mean "mqtt"/],
  ['constructor://host', {}, 'INVALID_ADDRESS', /"constructor" is unknown/],
  ['memory:', {}, 'INVALID_ADDRESS', /write memory:name/],
  ['memory:x', { tlss: {} }, 'INVALID_OPTIONS', /"tlss" is unknown, did you mean "tls"/],
  ['memory:x', { tls: { ca: 'ca.pem' } }, 'INVALID_OPTIONS', /never leaves this process/],
  ['mqtt://h', { tls: { ca: 'ca.pem' } }, 'INVALID_OPTIONS', /write mqtts:\/\//],
  ['memory:x?color=red', {}, 'INVALID_OPTIONS', /"color" is unknown/],
  ['memory:x', { connectTimeoutMs: 'soon' }, 'INVALID_OPTIONS', /length of time such as/],
  ['mqtt://host.example', { auth: { user: 'a' } }, 'PLAINTEXT_CREDENTIALS', /use mqtts:\/\//],
  ['mqtt://u:p@host.example', { auth: { user: 'a' } }, 'INVALID_OPTIONS', /keep one of them/],
  ['mqtt://u:p@host.example', {}, 'PLAINTEXT_CREDENTIALS', /host\.example/],
  ['mqtts://h', { tls: { insecureSkipVerfy: true } }, 'INVALID_OPTIONS', /did you mean "insecureSkipVerify"/],
]

for (const [address, options, code, phrase] of MISTAKES) {
  test(`connect("${address}", ${JSON.stringify(options)}) rejects with ${code}`, async () => {
    await assert.rejects(connect(address, options), (error) => {
      assert.ok(error instanceof BackhaulError)
      assert.equal(error.code, code)
      assert.match(error.message, phrase)
      return true
    })
  })
}
