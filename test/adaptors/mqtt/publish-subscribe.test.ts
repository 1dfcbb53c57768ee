import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'

import type { TestBroker } from '../../brokers/index.ts'
import { startEmbedded, startMosquitto, without } from '../../brokers/index.ts'
import type { TestPki } from '../../pki.ts'
import { createTestPki } from '../../pki.ts'
import type { DialOptions } from './support.ts'
import { dial, kinds, message, NEVER, publish, subscribe, take, text, tlsFrom } from './support.ts'

const BROKERS = [
  { name: 'Mosquitto', skip: without('mosquitto'), start: startMosquitto, versions: ['5', '3.1.1'] },
  { name: 'the embedded broker', skip: false, start: startEmbedded, versions: ['3.1.1'] },
] as const

for (const { name, skip, start, versions } of BROKERS) {
  suite(`MqttLink against ${name}`, { skip }, () => {
    let pki: TestPki
    let broker: TestBroker
    before(async () => {
      pki = await createTestPki()
      broker = await start({ listeners: ['plain', 'tls', 'mutual', 'ws', 'wssMutual'], pki })
    })
    after(async () => {
      await broker.stop()
      await pki.close()
    })

    for (const version of versions) {
      for (const kind of ['plain', 'tls', 'mutual', 'ws', 'wssMutual'] as const) {
        test(`publish() and subscribe() carry messages both ways, MQTT ${version} over ${kind}`, async () => {
          const secure = kind !== 'plain' && kind !== 'ws'
          const pair = kind === 'mutual' || kind === 'wssMutual' ? await pki.client('edge-1') : undefined
          const options: DialOptions = {
            options: { version },
            ...(secure && { tls: tlsFrom(pki.ca, pair) }),
          }
          const link = await dial(broker.url(kind), options)
          const deliveries = await subscribe(link, ['tele/+/events'])
          const batch = Array.from({ length: 50 }, (_, index) =>
            message('tele/cam-1/events', `event ${index}`, { key: 'cam-1', headers: { kind: 'test' } }),
          )
          const outcomes = await publish(link, batch)
          assert.deepEqual(new Set(kinds(outcomes)), new Set(['delivered']))
          const taken = await take(deliveries, 50)
          assert.deepEqual(
            taken.map(text),
            batch.map((one) => Buffer.from(one.payload).toString()),
          )
          assert.equal(taken[0]?.topic, 'tele/cam-1/events')
          assert.equal(taken[0]?.redelivered, false)
          const five = version === '5'
          assert.equal(taken[0]?.id, five ? batch[0]?.id : undefined)
          assert.equal(taken[0]?.key, five ? 'cam-1' : undefined)
          assert.deepEqual(taken[0]?.headers, five ? { kind: 'test' } : undefined)
          assert.equal(link.peer.protocol, `MQTT ${version}`)
          assert.equal(link.peer.tls?.verified, secure ? true : undefined)
          await link.close()
          assert.equal((await link.lost).code, 'CLOSED')
        })
      }

      for (const qos of [0, 1, 2]) {
        test(`publish() with QoS ${qos} delivers each message once, MQTT ${version}`, async () => {
          const link = await dial(broker.url('plain'), { options: { version, qos } })
          const deliveries = await subscribe(link, ['q/#'])
          const batch = Array.from({ length: 300 }, (_, index) => message(`q/${index % 3}`, `${index}`))
          assert.deepEqual(new Set(kinds(await publish(link, batch))), new Set(['delivered']))
          const taken = await take(deliveries, 300)
          assert.deepEqual(
            taken.map(text),
            Array.from({ length: 300 }, (_, index) => `${index}`),
          )
          await link.close()
        })
      }
    }

    test('dial() falls back to 3.1.1 where the broker does not speak 5', async () => {
      const link = await dial(broker.url('plain'))
      assert.equal(link.peer.protocol, versions[0] === '5' ? 'MQTT 5' : 'MQTT 3.1.1')
      await link.close()
    })

    test('publish() carries an empty payload and any bytes unchanged', async () => {
      const link = await dial(broker.url('plain'))
      const deliveries = await subscribe(link, ['bytes'])
      const payloads = [
        new Uint8Array(0),
        Uint8Array.from({ length: 256 }, (_, index) => index),
        new Uint8Array(200_000),
      ]
      await publish(
        link,
        payloads.map((payload) => message('bytes', payload)),
      )
      const taken = await take(deliveries, 3)
      assert.deepEqual(
        taken.map((one) => Buffer.from(one.payload)),
        payloads.map((one) => Buffer.from(one)),
      )
      await link.close()
    })

    test('subscribe() ends its stream when the signal aborts, and when it is returned', async () => {
      const link = await dial(broker.url('plain'))
      const controller = new AbortController()
      const first = await link.subscribe(['x'], { group: undefined, maxInWork: 1 }, controller.signal)
      const second = await link.subscribe(['x'], { group: undefined, maxInWork: 1 }, NEVER)
      const waiting = first.next()
      controller.abort()
      assert.equal((await waiting).done, true)
      await publish(link, [message('x', 'still there')])
      assert.equal(text((await take(second, 1))[0] ?? assert.fail()), 'still there')
      await second.return?.()
      assert.equal((await second.next()).done, true)
      await link.close()
    })
  })
}
