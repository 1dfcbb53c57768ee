import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { connect } from '../../../src/index.ts'
import type { RabbitmqBroker } from '../../brokers/index.ts'
import { openForeign } from './foreign.ts'
import { dial, message, publish, subscribe, take, text, tlsFrom, words } from './support.ts'

const ann = { auth: { user: 'ann', password: 'secret' } }
const run = promisify(execFile)

/** What comes in, at a real broker, and foreign clients at the other end. */
export function subscribingTests(started: () => RabbitmqBroker): void {
  const open = (options: Readonly<Record<string, unknown>> = {}) =>
    dial(started().url('plain'), { ...ann, options })

  test('C8: patterns are delivered, with the topic that was published to', async () => {
    const link = await open({ mandatory: false })
    const one = await subscribe(link, ['c8.*.state'])
    const all = await subscribe(link, ['c8.#'])
    const topics = ['c8', 'c8.a.state', 'c8.b.c.state', 'c8.b.state']
    await publish(
      link,
      topics.map((topic) => message(topic, 'x')),
    )
    const taken = async (from: typeof one, count: number) =>
      (await take(from, count)).map(({ topic }) => topic)
    assert.deepEqual(await taken(one, 2), ['c8.a.state', 'c8.b.state'])
    assert.deepEqual(await taken(all, 4), topics)
    await link.close()
  })

  test('a direct exchange is made where that is wished, and knows no patterns', async () => {
    const link = await open({ exchange: 'made', exchangeType: 'direct', declareExchange: true })
    assert.equal(link.capabilities.patterns, false)
    await assert.rejects(subscribe(link, ['a.#']), { code: 'UNSUPPORTED' })
    const deliveries = await subscribe(link, ['a.b'])
    assert.deepEqual(words(await publish(link, [message('a.b', 'x')])), ['delivered'])
    await take(deliveries, 1)
    await link.close()
  })

  test('a group reads a queue of its own name that is only checked', async () => {
    await using foreign = await openForeign(started())
    await foreign.channel.assertQueue('given', { durable: true })
    await foreign.channel.bindQueue('given', 'amq.topic', 'given.#')
    const link = await open({ declareQueues: false, queueName: '{group}' })
    const deliveries = await subscribe(link, ['ignored'], 'given')
    await publish(link, [message('given.by.hand', 'x')])
    const [delivery] = await take(deliveries, 1)
    assert.equal(delivery?.topic, 'given.by.hand')
    await link.close()
    await foreign.channel.deleteQueue('given')
  })

  test('a virtual host of its own is used by the path of the address', async () => {
    const link = await dial(`${started().url('plain')}/mine`, ann)
    const deliveries = await subscribe(link, ['v'])
    const elsewhere = await open()
    assert.deepEqual(words(await publish(elsewhere, [message('v', 'x')])), ['refused topic REFUSED'])
    assert.deepEqual(words(await publish(link, [message('v', 'mine')])), ['delivered'])
    assert.deepEqual((await take(deliveries, 1)).map(text), ['mine'])
    await Promise.all([link.close(), elsewhere.close()])
  })

  test('a queue that is deleted ends the link, and the next one makes it again', async () => {
    await using foreign = await openForeign(started())
    const link = await open()
    const deliveries = await subscribe(link, ['deleted'], 'group')
    await foreign.channel.deleteQueue('group.deleted')
    const reason = await link.lost
    assert.deepEqual([reason.code, reason.brokerReason], ['LINK_LOST', 'basic.cancel'])
    assert.equal((await deliveries.next()).done, true)
    const next = await open()
    const again = await subscribe(next, ['deleted'], 'group')
    await publish(next, [message('deleted', 'x')])
    await take(again, 1)
    await next.close()
  })

  test('amqp-tools at the other end, over TLS: both directions', async () => {
    const broker = started()
    const link = await dial(broker.url('tls'), {
      tls: tlsFrom(broker.pki.ca, await broker.pki.client('edge-1')),
    })
    assert.match(link.peer.tls?.version ?? '', /^TLSv1\.\d$/)
    const deliveries = await subscribe(link, ['tools.*'])
    const where = [`--url=amqp://ann:secret@127.0.0.1:${broker.port('plain')}`]
    await run('amqp-publish', [
      ...where,
      '-e',
      'amq.topic',
      '-r',
      'tools.in',
      '-C',
      'application/json',
      '-b',
      '{}',
    ])
    const [delivery] = await take(deliveries, 1)
    assert.deepEqual(
      [delivery?.topic, delivery && text(delivery), delivery?.headers, delivery?.id],
      ['tools.in', '{}', { 'content-type': 'application/json' }, undefined],
    )
    await publish(link, [message('tools.kept', 'to the tools')])
    assert.equal((await run('amqp-get', [...where, '-q', 'tools-kept'])).stdout, 'to the tools')
    await link.close()
  })

  test('amqplib reads id, key, headers and content type, and its own messages come with theirs', async () => {
    await using foreign = await openForeign(started())
    const got = await foreign.consume('lib.out')
    const link = await open()
    const sent = message('lib.out', '{"n":1}', {
      key: 'camera-1',
      headers: { schema: 'minimal', 'content-type': 'application/json' },
    })
    await publish(link, [sent])
    const [arrived] = await got(1)
    assert.equal(arrived?.properties.messageId, sent.id)
    assert.equal(arrived?.properties.contentType, 'application/json')
    assert.deepEqual(
      { ...arrived?.properties.headers },
      { 'backhaul-key': 'camera-1', schema: 'minimal', 'content-type': 'application/json' },
    )
    const deliveries = await subscribe(link, ['lib.in'])
    const headers = {
      text: 'ü',
      number: 7,
      flag: true,
      nested: { a: 1 },
      list: [1],
      nothing: null,
      half: 0.5,
    }
    foreign.channel.publish('amq.topic', 'lib.in', Buffer.from([0, 1]), { headers, messageId: 'theirs' })
    const [delivery] = await take(deliveries, 1)
    assert.deepEqual({ ...delivery?.headers }, { text: 'ü', number: '7', flag: 'true', half: '0.5' })
    assert.deepEqual([delivery?.id, Buffer.from(delivery?.payload ?? [])], ['theirs', Buffer.from([0, 1])])
    await link.close()
  })

  test('C7, C10: a client that only receives is there again after the broker restarted', async () => {
    const broker = started()
    const client = await connect(broker.url('plain'), ann)
    const states: string[] = []
    const subscription = await client.subscribe(['c7.commands'], { group: 'c7' })
    const watching = (async () => {
      for await (const { state } of client.status()) states.push(state)
    })()
    await broker.restart()
    const sender = await open()
    await publish(sender, [message('c7.commands', 'reboot')])
    for await (const delivery of subscription) {
      assert.equal(text(delivery), 'reboot')
      delivery.ack()
      break
    }
    await Promise.all([sender.close(), client.close()])
    await watching
    assert.equal(states.filter((state) => state === 'lost').length, 1)
  })
}
