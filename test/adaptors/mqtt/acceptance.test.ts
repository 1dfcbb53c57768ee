import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'

import type { TestBroker } from '../../brokers/index.ts'
import { startEmbedded, startMosquitto, without } from '../../brokers/index.ts'
import { startProxy } from '../../fault/proxy.ts'
import { dial, kinds, message, NEVER, publish, subscribe, take, text } from './support.ts'

const BROKERS = [
  { name: 'Mosquitto', skip: without('mosquitto'), start: startMosquitto, versions: ['5', '3.1.1'] },
  { name: 'the embedded broker', skip: false, start: startEmbedded, versions: ['3.1.1'] },
] as const

let last = 0
function unique(word: string): string {
  last += 1
  return `${word}-${last}`
}

for (const { name, skip, start, versions } of BROKERS) {
  for (const version of versions) {
    suite(`mqtt ${version} against ${name}`, { skip }, () => {
      let broker: TestBroker
      before(async () => {
        broker = await start()
      })
      after(() => broker.stop())

      test('A5: ten asynchronous publishes are acknowledged, ten of ten, each once', async () => {
        const link = await dial(broker.url('plain'), { options: { version } })
        const outcomes = await Promise.all(
          Array.from({ length: 10 }, (_, index) => publish(link, [message('topic1', `${index}`)])),
        )
        assert.deepEqual(
          outcomes.map(kinds),
          Array.from({ length: 10 }, () => ['delivered']),
        )
        await link.close()
      })

      test('C8: a wildcard subscription is delivered, with the topic that was published to', async () => {
        const link = await dial(broker.url('plain'), { options: { version } })
        const root = unique('c8')
        const one = await subscribe(link, [`${root}/+/state`])
        const all = await subscribe(link, [`${root}/#`])
        await publish(link, [
          message(`${root}/a/state`, '1'),
          message(`${root}/b/state`, '2'),
          message(`${root}/b/other`, '3'),
        ])
        assert.deepEqual(
          (await take(one, 2)).map(({ topic }) => topic),
          [`${root}/a/state`, `${root}/b/state`],
        )
        const topics = new Set((await take(all, 3)).map(({ topic }) => topic))
        assert.ok(topics.has(`${root}/a/state`) && topics.has(`${root}/b/state`))
        await link.close()
      })

      test('C9: a command sent while a persistent session is away is delivered once, also before anybody subscribes', async () => {
        const clientId = unique('c9')
        const options = { version, clientId, sessionExpirySeconds: 60 }
        const topic = `devices/${clientId}/commands`
        const first = await dial(broker.url('plain'), { options })
        assert.equal(first.capabilities.durableSubscriptions, true)
        await subscribe(first, [topic])
        await first.close()
        const sender = await dial(broker.url('plain'), { options: { version } })
        await publish(sender, [message(topic, 'reboot')])
        const second = await dial(broker.url('plain'), { options })
        // the broker sends what it kept at once; another message through the link shows that it has
        assert.deepEqual(kinds(await publish(second, [message(unique('other'), 'x')])), ['delivered'])
        const deliveries = await subscribe(second, [topic])
        assert.deepEqual((await take(deliveries, 1)).map(text), ['reboot'])
        await publish(sender, [message(topic, 'next')])
        assert.deepEqual((await take(deliveries, 1)).map(text), ['next'])
        await second.close()
        const third = await dial(broker.url('plain'), { options })
        const later = await subscribe(third, [topic])
        await publish(sender, [message(topic, 'last')])
        assert.deepEqual((await take(later, 1)).map(text), ['last'])
        await third.close()
        await sender.close()
      })

      test('C12: forty connections at once open, publish and close', async () => {
        const links = await Promise.all(
          Array.from({ length: 40 }, () => dial(broker.url('plain'), { options: { version } })),
        )
        const outcomes = await Promise.all(links.map((link) => publish(link, [message('c12', 'x')])))
        assert.ok(outcomes.every(([outcome]) => outcome?.kind === 'delivered'))
        await Promise.all(links.map((link) => link.close()))
        const codes = await Promise.all(links.map(async ({ lost }) => (await lost).code))
        assert.deepEqual(new Set(codes), new Set(['CLOSED']))
      })

      test('what was not acknowledged comes again on the next link', async () => {
        const options = { version, clientId: unique('again'), sessionExpirySeconds: 60 }
        const topic = unique('topic')
        const first = await dial(broker.url('plain'), { options })
        const before = await subscribe(first, [topic])
        await publish(first, [message(topic, '1'), message(topic, '2'), message(topic, '3')])
        const [one, , three] = await take(before, 3, false)
        one?.ack()
        three?.ack()
        await first.close()
        const second = await dial(broker.url('plain'), { options })
        const again = await take(await subscribe(second, [topic]), 2)
        assert.deepEqual(again.map(text), ['2', '3'])
        // the embedded broker does not mark its repeats
        assert.equal(again[0]?.redelivered, name === 'Mosquitto')
        await second.close()
      })

      test('the last will is published when the link ends without a goodbye, and not after close()', async () => {
        const topic = unique('will')
        const watcher = await dial(broker.url('plain'), { options: { version } })
        const deliveries = await subscribe(watcher, [topic])
        await using proxy = await startProxy({ host: '127.0.0.1', port: broker.port('plain') })
        const url = `mqtt://127.0.0.1:${proxy.port}`
        const polite = await dial(url, { options: { version, will: { topic, payload: 'polite' } } })
        await polite.close()
        const lost = await dial(url, { options: { version, will: { topic, payload: 'gone', qos: 1 } } })
        proxy.reset()
        assert.equal((await lost.lost).code, 'LINK_LOST')
        assert.deepEqual((await take(deliveries, 1)).map(text), ['gone'])
        await watcher.close()
      })

      test('a retained message comes to a later subscriber, marked as retained', async () => {
        const topic = unique('retained')
        const sender = await dial(broker.url('plain'), { options: { version, retain: true } })
        await publish(sender, [message(topic, 'state')])
        await sender.close()
        const link = await dial(broker.url('plain'), { options: { version } })
        const deliveries = await subscribe(link, [topic])
        const [delivery] = await take(deliveries, 1)
        assert.deepEqual([delivery && text(delivery), delivery?.retained], ['state', true])
        await publish(link, [message(topic, 'news')])
        assert.equal((await take(deliveries, 1))[0]?.retained, false)
        await link.close()
      })

      test('a second link of one client id ends the first', async () => {
        const options = { version, clientId: unique('twice') }
        const first = await dial(broker.url('plain'), { options })
        assert.equal(first.capabilities.parallelLinks, false)
        const second = await dial(broker.url('plain'), { options })
        assert.equal((await first.lost).code, 'LINK_LOST')
        await second.close()
      })

      test('a frozen broker is noticed within one and a half keep-alive intervals', async () => {
        const link = await dial(broker.url('plain'), { options: { version, keepAliveSeconds: 1 } })
        const startMs = performance.now()
        broker.freeze()
        assert.equal((await link.lost).code, 'TIMEOUT')
        broker.thaw()
        assert.ok(performance.now() - startMs < 2500)
        await link.close()
      })
    })
  }
}

test(
  'members of a group share the messages, MQTT 5 against Mosquitto',
  { skip: without('mosquitto') },
  async () => {
    await using broker = await startMosquitto()
    const link = await dial(broker.url('plain'), { options: { version: '5' } })
    const other = await dial(broker.url('plain'), { options: { version: '5' } })
    const options = { group: 'workers', maxInWork: 100 }
    const [one, two] = await Promise.all(
      [link, other].map((member) => member.subscribe(['jobs/+'], options, NEVER)),
    )
    assert.ok(one && two)
    const sent = Array.from({ length: 20 }, (_, index) => `${index}`)
    await publish(
      link,
      sent.map((job) => message('jobs/a', job)),
    )
    const taken = await Promise.all([take(one, 10), take(two, 10)])
    const all = taken.flat().map(text)
    assert.deepEqual(all.toSorted(), sent.toSorted())
    await Promise.all([link.close(), other.close()])
  },
)
