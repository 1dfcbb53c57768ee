import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import type { Client, ConnectOptions } from '../../../src/client/index.ts'
import { connect } from '../../../src/client/index.ts'
import type { Delivery } from '../../../src/contract/index.ts'
import type { RedisListener, RedisServer } from '../../brokers/index.ts'
import { ANN, PASSWORD, text } from './support.ts'

const SECRET = 'hunter2-secret'

/** Scenarios of DeepStream's acceptance, each by its row. */
export function acceptanceTests(started: () => RedisServer): void {
  const open = async (options: ConnectOptions = {}): Promise<Client> => {
    const { pki } = started()
    const pair = await pki.client('row')
    return connect(started().url('tls'), {
      tls: { ca: pki.ca, ...pair },
      auth: { user: ANN.user, password: PASSWORD },
      ...options,
    })
  }
  const receive = async (stream: AsyncIterable<Delivery>, count: number) => {
    const taken: Delivery[] = []
    for await (const delivery of stream) {
      taken.push(delivery)
      delivery.ack()
      if (taken.length === count) break
    }
    return taken
  }
  const pending = async (topic: string, group = 'redis-consumer-group') =>
    (await started().cli('XPENDING', topic, group)).split('\n')[0]

  for (const [kind, concurrent] of [
    ['one after another', false],
    ['at once', true],
  ] as const) {
    test(`A4: five messages ${kind} are five entries with the field metadata; the group is made, the entries are acknowledged`, async () => {
      const topic = `r.a4.${concurrent}`
      const client = await open()
      const subscription = await client.subscribe(topic, { group: 'redis-consumer-group' })
      const payloads = [0, 1, 2, 3, 4].map((index) => Buffer.from([index, 0, 255, 10, 13]))
      const sent: Promise<unknown>[] = []
      for (const payload of payloads) {
        sent.push(client.send({ topic, payload }))
        if (!concurrent) await sent.at(-1)
      }
      await Promise.all(sent)
      const taken = await receive(subscription, 5)
      assert.deepEqual(
        taken.map(({ payload }) => Buffer.from(payload)),
        payloads,
      )
      assert.equal(client.account.delivered, 5)
      await client.close()
      const entries = await started().cli('XRANGE', topic, '-', '+')
      assert.equal(entries.match(/^metadata$/gm)?.length, 5)
      assert.match(await started().cli('XINFO', 'GROUPS', topic), /redis-consumer-group/)
      assert.equal(await pending(topic), '0')
    })
  }

  test('C5: requirepass, a user of the access list, and TLS without and with a client certificate: sending and subscribing work', async () => {
    const server = started()
    const { pki } = server
    const url = (kind: RedisListener) => server.url(kind)
    await server.cli('CONFIG', 'SET', 'tls-auth-clients', 'no')
    const ways: readonly (readonly [string, ConnectOptions])[] = [
      [url('plain'), { auth: { user: 'default', password: PASSWORD } }],
      [url('plain').replace('//', `//ann:${PASSWORD}@`), {}],
      [url('tls'), { tls: { ca: pki.ca }, auth: { user: 'ann', password: PASSWORD } }],
      [
        url('tls'),
        { tls: { ca: pki.ca, ...(await pki.client('row')) }, auth: { user: 'default', password: PASSWORD } },
      ],
    ]
    for (const [index, [address, options]] of ways.entries()) {
      const client = await connect(address, options)
      for (const group of [undefined, 'g']) {
        const topic = `r.c5.${index}.${group ?? 'all'}`
        const subscription = await client.subscribe(topic, group === undefined ? {} : { group })
        await client.send({ topic, payload: 'hello' })
        assert.deepEqual((await receive(subscription, 1)).map(text), ['hello'])
      }
      await client.close()
    }
    await server.cli('CONFIG', 'SET', 'tls-auth-clients', 'yes')
  })

  test('C6: after an outage the subscription is there again, and nothing that was accepted is lost', async () => {
    const client = await open({ outbox: {}, options: { consumer: 'row', readBlockMs: 200 } })
    const subscription = await client.subscribe('r.c6', { group: 'g' })
    const states: string[] = []
    const watching = (async () => {
      for await (const { state } of client.status()) {
        states.push(state)
        if (state === 'connected' && states.includes('lost')) return
      }
    })()
    await client.send({ topic: 'r.c6', payload: '0' })
    await receive(once(subscription, 1), 1)
    while ((await pending('r.c6', 'g')) !== '0') await setImmediate()
    await started().kill()
    while (!states.includes('lost')) await setImmediate()
    await Promise.all([1, 2, 3].map((index) => client.send({ topic: 'r.c6', payload: String(index) })))
    await started().restart()
    await watching
    assert.deepEqual((await receive(subscription, 3)).map(text), ['1', '2', '3'])
    await client.close()
  })

  test('C10: a wrong password rejects connect(), and a lasting connection stays refused', async () => {
    await assert.rejects(open({ auth: { user: 'ann', password: SECRET } }), { code: 'BAD_CREDENTIALS' })
    const client = await open({ auth: { user: 'ann', password: SECRET }, lazy: true })
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

  test('C12: forty connections at once connect, subscribe, send and close, and none hangs or stays', async () => {
    const trip = async () => {
      const client = await open()
      await client.subscribe('r.c12', { group: 'g' })
      await client.send({ topic: 'r.c12', payload: 'x' })
      await client.close()
    }
    await Promise.all(Array.from({ length: 40 }, trip))
    assert.equal(await started().cli('XLEN', 'r.c12'), '40')
    const clients = await started().cli('CLIENT', 'LIST')
    assert.doesNotMatch(clients, /name=backhaul/)
  })

  test('C13: no error, however deep, tells a password or a passphrase', async () => {
    const server = started()
    const { pki } = server
    const url = (kind: RedisListener) => server.url(kind)
    const pair = await pki.client('row')
    const attempts: readonly (readonly [string, ConnectOptions])[] = [
      [url('tls'), { tls: { ca: pki.ca, ...pair }, auth: { user: 'ann', password: SECRET } }],
      [url('plain').replace('//', `//ann:${SECRET}@`), {}],
      [url('tls').replace('rediss', 'redis').replace('//', `//ann:${SECRET}@`), {}],
      [`${url('plain')}?pasword=${SECRET}`, {}],
      [
        url('tls'),
        {
          tls: {
            ca: pki.ca,
            cert: pair.cert,
            key: await pki.encryptedKey(pair, 'other'),
            passphrase: SECRET,
          },
        },
      ],
    ]
    for (const [address, options] of attempts) {
      await assert.rejects(connect(address, options), (error) => {
        for (let one: unknown = error; one instanceof Error; one = one.cause) {
          assert.ok(!`${one.message} ${one.stack ?? ''}`.includes(SECRET), one.message)
        }
        return true
      })
    }
  })
}

/** The first items of a stream, without leaving it. */
async function* once<T>(stream: AsyncIterator<T>, count: number): AsyncGenerator<T> {
  for (let left = count; left > 0; left -= 1) {
    const next = await stream.next()
    if (next.done === true) return
    yield next.value
  }
}
