import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'

import { connectAsync } from 'mqtt'
import type { IPublishPacket, MqttClient } from 'mqtt'

import { deferred } from '../../../src/kit/deferred.ts'
import type { TestBroker } from '../../brokers/index.ts'
import { findCommand, startEmbedded, startMosquitto, without } from '../../brokers/index.ts'
import type { TestPki } from '../../pki.ts'
import { createTestPki } from '../../pki.ts'
import { dial, kinds, message, publish, subscribe, take, text, tlsFrom } from './support.ts'

const run = promisify(execFile)

suite(
  'programs of Mosquitto at the other end, over mutual TLS',
  { skip: without('mosquitto', 'mosquitto_pub', 'mosquitto_sub') },
  () => {
    let pki: TestPki
    let broker: TestBroker
    before(async () => {
      pki = await createTestPki()
      broker = await startMosquitto({ listeners: ['mutual'], pki, settings: { log_type: 'all' } })
    })
    after(async () => {
      await broker.stop()
      await pki.close()
    })

    async function common(version: string): Promise<string[]> {
      const { cert, key } = await pki.client('cloud')
      const where = ['-h', 'localhost', '-p', String(broker.port('mutual')), '-V', version, '-q', '1']
      return [...where, '--cafile', pki.ca, '--cert', cert, '--key', key]
    }

    test('subscribe() gets what mosquitto_pub sends, user properties as headers', async () => {
      const link = await dial(broker.url('mutual'), { tls: tlsFrom(pki.ca, await pki.client('edge-1')) })
      const deliveries = await subscribe(link, ['commands/#'])
      const command = findCommand('mosquitto_pub') ?? ''
      const args = await common('5')
      await run(command, [
        ...args,
        '-t',
        'commands/ping',
        '-m',
        'hello',
        '-D',
        'publish',
        'user-property',
        'from',
        'cloud',
      ])
      await run(command, [...(await common('mqttv311')), '-t', 'commands/pong', '-m', 'old'])
      const [ping, pong] = await take(deliveries, 2)
      assert.ok(ping && pong)
      assert.deepEqual(
        [ping.topic, text(ping), ping.headers, ping.id],
        ['commands/ping', 'hello', { from: 'cloud' }, undefined],
      )
      assert.deepEqual([pong.topic, text(pong), pong.headers], ['commands/pong', 'old', undefined])
      await link.close()
    })

    test('publish() reaches mosquitto_sub, with id, key and headers as user properties', async () => {
      const args = await common('5')
      const command = findCommand('mosquitto_sub') ?? ''
      const from = broker.log.length
      const child = spawn(command, [...args, '-t', 'tele/#', '-C', '2', '-F', '%t|%p|%P'])
      const closed = once(child, 'close')
      const lines: string[] = []
      const reader = createInterface(child.stdout)
      reader.on('line', (line) => lines.push(line))
      await broker.waitForLog(/Sending SUBACK/, { from })
      const link = await dial(broker.url('mutual'), { tls: tlsFrom(pki.ca, await pki.client('edge-1')) })
      const sent = [
        message('tele/cam-1', '{"n":1}', { id: 'one', key: 'cam-1', headers: { schema: 'minimal' } }),
        message('tele/cam-2', '{"n":2}', { id: 'two' }),
      ]
      assert.deepEqual(kinds(await publish(link, sent)), ['delivered', 'delivered'])
      await closed
      assert.deepEqual(lines, [
        'tele/cam-1|{"n":1}|backhaul-id:one backhaul-key:cam-1 schema:minimal',
        'tele/cam-2|{"n":2}|backhaul-id:two',
      ])
      await link.close()
    })
  },
)

const BROKERS = [
  { name: 'Mosquitto', skip: without('mosquitto'), start: startMosquitto, versions: [5, 4] },
  { name: 'the embedded broker', skip: false, start: startEmbedded, versions: [4] },
] as const

for (const { name, skip, start, versions } of BROKERS) {
  suite(`MQTT.js at the other end, through ${name}`, { skip }, () => {
    let pki: TestPki
    let broker: TestBroker
    before(async () => {
      pki = await createTestPki()
      broker = await start({ listeners: ['plain', 'mutual'], pki })
    })
    after(async () => {
      await broker.stop()
      await pki.close()
    })

    async function other(protocolVersion: 4 | 5): Promise<MqttClient> {
      const { cert, key } = await pki.client('cloud')
      return connectAsync(broker.url('mutual'), {
        protocolVersion,
        ca: await readFile(pki.ca),
        cert: await readFile(cert),
        key: await readFile(key),
        reconnectPeriod: 0,
      })
    }

    for (const version of versions) {
      for (const qos of [0, 1, 2] as const) {
        test(`both directions with QoS ${qos}, MQTT.js speaking ${version === 5 ? '5' : '3.1.1'}`, async () => {
          const client = await other(version)
          const received: IPublishPacket[] = []
          const { promise: all, resolve } = deferred()
          client.on('message', (_topic, _payload, packet) => {
            if (received.push(packet) === 20) resolve()
          })
          await client.subscribeAsync('out/#', { qos })
          const link = await dial(broker.url('plain'), { options: { qos } })
          const deliveries = await subscribe(link, ['in/#'])
          const batch = Array.from({ length: 20 }, (_, index) =>
            message(`out/${index}`, `${index}`, { key: 'k' }),
          )
          const outcomes = publish(link, batch)
          for (let index = 0; index < 20; index += 1) {
            await client.publishAsync(`in/${index}`, Buffer.from(`${index}`), {
              qos,
              ...(version === 5 && { properties: { userProperties: { n: `${index}` } } }),
            })
          }
          assert.deepEqual(new Set(kinds(await outcomes)), new Set(['delivered']))
          const taken = await take(deliveries, 20)
          assert.deepEqual(
            taken.map((one) => [one.topic, text(one)]),
            batch.map((_, index) => [`in/${index}`, `${index}`]),
          )
          await all
          assert.deepEqual(
            received.map(({ topic, payload }) => [topic, String(payload)]),
            batch.map((one, index) => [one.topic, `${index}`]),
          )
          if (version === 5) {
            assert.deepEqual(taken[3]?.headers, { n: '3' })
            assert.deepEqual(
              { ...received[3]?.properties?.userProperties },
              { 'backhaul-id': batch[3]?.id, 'backhaul-key': 'k' },
            )
          }
          await link.close()
          await client.endAsync()
        })
      }
    }
  })
}
