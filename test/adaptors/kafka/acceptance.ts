import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Client, ConnectOptions } from '../../../src/client/index.ts'
import { connect } from '../../../src/client/index.ts'
import type { Delivery } from '../../../src/contract/index.ts'
import { BackhaulError } from '../../../src/contract/index.ts'
import type { KafkaBroker } from '../../brokers/index.ts'
import { text } from './support.ts'

const SECRET = 'hunter2-secret'

/** Scenarios of DeepStream's acceptance, each by its row, over mutual TLS where nothing else is said. */
export function acceptanceTests(started: () => KafkaBroker): void {
  const open = async (options: ConnectOptions = {}): Promise<Client> => {
    const { pki, admin } = started()
    const pair = await pki.client('row')
    await admin.allow('row', 'read topic r.*', 'write topic r.*', 'read group r.*')
    return connect(started().url('mutual'), { tls: { ca: pki.ca, ...pair }, ...options })
  }
  const receive = async (client: Client, topics: string, work: () => Promise<unknown>, count: number) => {
    const subscription = await client.subscribe(topics)
    await work()
    const taken: Delivery[] = []
    for await (const delivery of subscription) {
      taken.push(delivery)
      delivery.ack()
      if (taken.length === count) break
    }
    return taken
  }

  test('A1: five messages to two topics, one after another, arrive in order and byte for byte', async () => {
    for (const topic of ['r.a1.one', 'r.a1.two']) await started().admin.createTopic(topic)
    const client = await open()
    const payloads = [0, 1, 2, 3, 4].map((index) => Buffer.from([index, 0, 255, 10, 13, index]))
    const sending = async () => {
      for (const payload of payloads) {
        for (const topic of ['r.a1.one', 'r.a1.two'])
          await (await client.send({ topic, payload })).delivered()
      }
    }
    const taken = await receive(client, 'r.a1.one', sending, 5)
    assert.deepEqual(
      taken.map(({ payload }) => Buffer.from(payload)),
      payloads,
    )
    assert.equal(client.account.delivered, 10)
    await client.close()
  })

  test('A2: five messages at once are each acknowledged once, within 5 s', async () => {
    await started().admin.createTopic('r.a2')
    const client = await open()
    let acknowledged = 0
    const messages = [0, 1, 2, 3, 4].map((index) => ({ topic: 'r.a2', payload: `message ${index}` }))
    const sending = () =>
      Promise.all(
        messages.map((message) => client.send(message, { deadlineMs: 5000 }).then(() => (acknowledged += 1))),
      )
    const taken = await receive(client, 'r.a2', sending, 5)
    assert.deepEqual(
      taken.map(text),
      messages.map(({ payload }) => payload),
    )
    assert.deepEqual([acknowledged, client.account.delivered], [5, 5])
    await client.close()
  })

  test("B3: keyPath finds the key of the message on the wire: one level, nested, missing, no text, the sender's own", async () => {
    await started().admin.createTopic('r.b3')
    const nested = await open({ keyPath: 'sensor.id' })
    const flat = await open({ keyPath: 'sensorId' })
    const taken = await receive(
      nested,
      'r.b3',
      async () => {
        await nested.send({
          topic: 'r.b3',
          payload: '{"messageid":"1","sensor":{"id":"CAM_1","type":"Camera"}}',
        })
        await nested.send({ topic: 'r.b3', payload: '{"sensor":{"type":"Camera"}}' })
        await nested.send({ topic: 'r.b3', payload: '{"sensor":{"id":7}}' })
        await nested.send({ topic: 'r.b3', payload: 'no JSON' })
        await nested.send({ topic: 'r.b3', key: 'own', payload: '{"sensor":{"id":"CAM_1"}}' })
        await flat.send({ topic: 'r.b3', payload: '{"version":"4.0","sensorId":"CAM_2","objects":[]}' })
      },
      6,
    )
    assert.deepEqual(
      taken.map(({ key }) => key),
      ['CAM_1', undefined, undefined, undefined, 'own', 'CAM_2'],
    )
    await Promise.all([nested.close(), flat.close()])
  })

  test('C8: a regular expression is delivered, with the topic that was published to', async () => {
    for (const topic of ['r.c8.gate.events', 'r.c8.door.events', 'r.c8.gate.other'])
      await started().admin.createTopic(topic)
    const client = await open()
    const sending = async () => {
      await client.send({ topic: 'r.c8.gate.other', payload: 'no' })
      await client.send({ topic: 'r.c8.gate.events', payload: '1' })
      await client.send({ topic: 'r.c8.door.events', payload: '2' })
    }
    const taken = await receive(client, String.raw`^r\.c8\.[a-z]+\.events$`, sending, 2)
    const found = taken.map((delivery) => `${delivery.topic} ${text(delivery)}`).toSorted()
    assert.deepEqual(found, ['r.c8.door.events 2', 'r.c8.gate.events 1'])
    await client.close()
  })

  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    test(`C10: a wrong password (${mechanism}) is a refusal from the first status on, without flapping`, async () => {
      const client = await connect(started().url('saslTls'), {
        tls: { ca: started().pki.ca },
        auth: { user: 'ann', password: SECRET },
        options: { sasl: mechanism },
        lazy: true,
      })
      const states: string[] = []
      for await (const status of client.status()) {
        states.push(status.state)
        if (status.state !== 'refused') continue
        assert.equal(status.error.code, 'BAD_CREDENTIALS')
        // it is tried again, slowly
        assert.ok(status.nextTryAtMs - Date.now() > 20_000)
        break
      }
      assert.deepEqual(states, ['connecting', 'refused'])
      await client.close()
    })
  }

  test('C11: a mistyped security property rejects connect(), and no byte reaches the broker', async () => {
    const before = started().proxy('plain').accepted
    const options = { 'proto-cfg': '"security.protcol=ssl;ssl.ca.location=/ca.pem"' }
    await assert.rejects(connect(started().url('plain'), { options }), (error) => {
      assert.ok(error instanceof BackhaulError)
      assert.equal(error.code, 'INVALID_OPTIONS')
      assert.match(
        error.message,
        /"proto-cfg\.security\.protcol" is unknown, did you mean "security\.protocol"\?/,
      )
      return true
    })
    assert.equal(started().proxy('plain').accepted, before)
  })

  test('C12: forty connections at once connect, send and close, and none hangs or stays', async () => {
    await started().admin.createTopic('r.c12')
    const trip = async () => {
      const client = await open()
      await client.send({ topic: 'r.c12', payload: 'x' })
      await client.close()
    }
    await Promise.all(Array.from({ length: 40 }, trip))
    const [end] = await started().admin.ends('r.c12')
    assert.equal(end, 40)
  })

  test('C13: no error, however deep, tells a password, a passphrase or a token', async () => {
    const { pki } = started()
    const pair = await pki.client('row')
    const attempts: readonly ConnectOptions[] = [
      { tls: { ca: pki.ca }, auth: { user: 'ann', password: SECRET } },
      { tls: { ca: pki.ca }, auth: { user: 'ann', password: SECRET }, options: { sasl: 'SCRAM-SHA-512' } },
      { tls: { ca: pki.ca }, auth: { token: () => SECRET }, options: { sasl: 'OAUTHBEARER' } },
      {
        tls: { ca: pki.ca, cert: pair.cert, key: await pki.encryptedKey(pair, 'other'), passphrase: SECRET },
      },
      { tls: { ca: pki.ca }, options: { 'proto-cfg': `"sasl.pasword=${SECRET}"` } },
    ]
    const addresses = [started().url('saslTls').replace('//', `//ann:${SECRET}@`)]
    const told: string[] = []
    const note = (error: unknown) => {
      for (let one: unknown = error; one instanceof Error; one = one.cause)
        told.push(`${one.message} ${one.stack ?? ''}`)
    }
    for (const options of attempts)
      await assert.rejects(connect(started().url('saslTls'), options).catch(throwing(note)))
    for (const address of addresses) {
      await assert.rejects(connect(address, { tls: { ca: pki.ca } }).catch(throwing(note)))
    }
    assert.ok(told.length >= 6)
    assert.deepEqual(
      told.filter((line) => line.includes(SECRET)),
      [],
    )
  })
}

function throwing(note: (error: unknown) => void): (error: unknown) => never {
  return (error) => {
    note(error)
    throw error
  }
}
