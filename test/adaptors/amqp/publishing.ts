import assert from 'node:assert/strict'
import { test } from 'node:test'

import { amqp } from '../../../src/adaptors/amqp/index.ts'
import type { RabbitmqBroker } from '../../brokers/index.ts'
import { dial, message, NEVER, publish, requestFor, subscribe, take, text, words } from './support.ts'
import { openForeign } from './foreign.ts'

const ann = { auth: { user: 'ann', password: 'secret' } }

/** What goes out, at a real broker. */
export function publishingTests(started: () => RabbitmqBroker): void {
  const open = (options: Readonly<Record<string, unknown>> = {}) =>
    dial(started().url('plain'), { ...ann, options })

  test('A3: ten publishes are confirmed, ten of ten, as text/plain and persistent', async () => {
    await using foreign = await openForeign(started())
    const got = await foreign.consume('a3')
    const link = await open()
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) => publish(link, [message('a3', `${index}`)])),
    )
    assert.deepEqual(new Set(outcomes.map(words).flat()), new Set(['delivered']))
    const arrived = await got(10)
    assert.deepEqual(
      arrived.map(({ content }) => content.toString()),
      Array.from({ length: 10 }, (_, index) => `${index}`),
    )
    for (const { properties } of arrived) {
      assert.deepEqual([properties.contentType, properties.deliveryMode], ['text/plain', 2])
    }
    await link.close()
  })

  test('C3: ten thousand messages, confirmed in batches, all arrive', async () => {
    const link = await open()
    const deliveries = await link.subscribe(['c3'], { group: undefined, maxInWork: 1000 }, NEVER)
    const taking = take(deliveries, 10_000)
    const batches = Array.from({ length: 100 }, () =>
      publish(
        link,
        Array.from({ length: 100 }, () => message('c3', 'x'.repeat(1000))),
      ),
    )
    for (const outcomes of await Promise.all(batches)) {
      assert.ok(outcomes.every(({ kind }) => kind === 'delivered'))
    }
    await taking
    await link.close()
  })

  test('C4: NUL bytes and protobuf arrive byte for byte, over frames and frames', async () => {
    const link = await open({ frameMaxBytes: 4096 })
    const deliveries = await subscribe(link, ['c4'])
    const payloads = [
      Buffer.from([0x0a, 0x03, 0x61, 0x00, 0x62, 0x10, 0x00]),
      Buffer.alloc(4096 - 8, 0),
      Buffer.alloc(4096 - 7, 1),
      Buffer.from(Array.from({ length: 50_000 }, (_, index) => index & 255)),
    ]
    for (const payload of payloads) {
      assert.deepEqual(words(await publish(link, [message('c4', payload)])), ['delivered'])
    }
    const arrived = await take(deliveries, payloads.length)
    assert.deepEqual(
      arrived.map(({ payload }) => Buffer.from(payload)),
      payloads,
    )
    await link.close()
  })

  test('a message that no queue takes is refused by its topic; with mandatory: false it is delivered', async () => {
    const link = await open()
    const deliveries = await subscribe(link, ['bound'])
    const batch = ['bound', 'nowhere', 'bound', 'nowhere'].map((topic) => message(topic, topic))
    const outcomes = await publish(link, batch)
    assert.deepEqual(words(outcomes), [
      'delivered',
      'refused topic REFUSED',
      'delivered',
      'refused topic REFUSED',
    ])
    const [, returned] = outcomes
    assert.ok(returned?.kind === 'refused')
    assert.match(returned.error.message, /"nowhere": no queue is bound to it, bind one/)
    assert.equal(returned.error.brokerReason, '312 NO_ROUTE')
    await take(deliveries, 2)
    await link.close()
    const careless = await open({ mandatory: false })
    assert.deepEqual(words(await publish(careless, [message('nowhere', 'x')])), ['delivered'])
    await careless.close()
  })

  test('a message over the limit of the broker is refused by itself; the others and the link live', async () => {
    const link = await open()
    const deliveries = await subscribe(link, ['size'])
    const sizes = [10, 300_000, 20]
    const outcomes = words(
      await publish(
        link,
        sizes.map((size) => message('size', Buffer.alloc(size))),
      ),
    )
    assert.equal(outcomes[1], 'refused message MESSAGE_TOO_LARGE')
    // what was on its way beside it may have been confirmed in time, or fails and is sent again
    assert.ok(outcomes.every((outcome, index) => index === 1 || ['delivered', 'failed'].includes(outcome)))
    assert.deepEqual(words(await publish(link, [message('size', 'again')])), ['delivered'])
    const last = async () => {
      for await (const delivery of deliveries) {
        delivery.ack()
        if (text(delivery) === 'again') return
      }
    }
    await last()
    await link.close()
  })

  test('a forbidden topic is refused by itself: other topics go on, and nothing is lost', async () => {
    const link = await dial(started().url('plain'), { auth: { user: 'edge', password: 'edge' } })
    const deliveries = await subscribe(link, ['edge.ok'])
    const outcomes = words(await publish(link, [message('else.where', 'x')]))
    assert.deepEqual(outcomes, ['refused topic NOT_AUTHORIZED'])
    assert.deepEqual(words(await publish(link, [message('edge.ok', 'x')])), ['delivered'])
    await take(deliveries, 1)
    await link.close()
  })

  test('a queue that is full and rejects fails messages, and takes them later', async () => {
    await using foreign = await openForeign(started())
    const queue = await foreign.queue('full', { 'x-max-length': 1, 'x-overflow': 'reject-publish' })
    const link = await open()
    assert.deepEqual(words(await publish(link, [message('full', '1')])), ['delivered'])
    const [outcome] = await publish(link, [message('full', '2')])
    assert.ok(outcome?.kind === 'failed')
    assert.equal(outcome.error.brokerReason, 'basic.nack')
    await foreign.purge(queue)
    assert.deepEqual(words(await publish(link, [message('full', '2')])), ['delivered'])
    await link.close()
  })

  test('a broker that blocks is waited for: nothing is sent, what comes in goes on, close() works', async () => {
    const broker = started()
    const link = await open({ publishTimeoutMs: 1500 })
    const deliveries = await subscribe(link, ['blocked'])
    assert.deepEqual(words(await publish(link, [message('blocked', '1')])), ['delivered'])
    await broker.ctl('set_vm_memory_high_watermark', 'absolute', '1')
    try {
      // the broker says so when the next message comes, and does not read it
      const [blocked] = await publish(link, [message('blocked', '2')])
      assert.ok(blocked?.kind === 'failed')
      assert.match(blocked.error.message, /takes no messages for now, give it more memory/)
      const [first] = await take(deliveries, 1)
      assert.equal(first && text(first), '1')
      await link.close()
      assert.equal((await link.lost).code, 'CLOSED')
    } finally {
      await broker.ctl('set_vm_memory_high_watermark', '0.8')
    }
  })

  test('headers that a message cannot carry make it refused, and the others go out', async () => {
    const link = await open({ frameMaxBytes: 4096, mandatory: false })
    const outcomes = await publish(link, [
      message('h', '1', { headers: { 'backhaul-key': 'x' } }),
      message('h', '2', { headers: { ['n'.repeat(256)]: 'x' } }),
      message('h', '3', { headers: { big: 'x'.repeat(5000) } }),
      message('h', '4', { id: 'ü'.repeat(128) }),
      message('h', '5'),
    ])
    assert.deepEqual(words(outcomes), [
      'refused message INVALID_MESSAGE',
      'refused message INVALID_MESSAGE',
      'refused message MESSAGE_TOO_LARGE',
      'refused message INVALID_MESSAGE',
      'delivered',
    ])
    await link.close()
  })

  test('C12: forty connections at once open, publish and close', async () => {
    const request = requestFor(started().url('plain'), { ...ann, options: { mandatory: false } })
    const links = await Promise.all(Array.from({ length: 40 }, () => amqp.dial(request, NEVER)))
    const outcomes = await Promise.all(links.map((link) => publish(link, [message('c12', 'x')])))
    assert.deepEqual(new Set(outcomes.map(words).flat()), new Set(['delivered']))
    await Promise.all(links.map((link) => link.close()))
    const codes = await Promise.all(links.map(async ({ lost }) => (await lost).code))
    assert.deepEqual(new Set(codes), new Set(['CLOSED']))
  })

  test('one connection for what goes out; the second comes with the first subscription', async () => {
    const broker = started()
    const from = broker.log.length
    const link = await open()
    const count = () => broker.log.slice(from).filter((line) => /accepting AMQP connection/.test(line)).length
    assert.equal(count(), 1)
    await subscribe(link, ['one'])
    await subscribe(link, ['two'])
    await link.close()
    await broker.waitForLog(/closing AMQP connection/, { from })
    assert.equal(count(), 2)
  })
}
