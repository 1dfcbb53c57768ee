import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Client } from '../../../src/client/index.ts'
import { connect } from '../../../src/client/index.ts'
import type { Delivery } from '../../../src/contract/index.ts'
import type { KafkaBroker } from '../../brokers/index.ts'
import type { KafkaDriver } from './support.ts'
import { text } from './support.ts'

const QUICK = { heartbeatIntervalMs: 100, commitIntervalMs: 20, metadataRefreshMs: 300 }

/** What groups owe through `connect()`, at a real broker. */
export function groupTests(started: () => KafkaBroker, driver: KafkaDriver = 'javascript'): void {
  const open = (options: Readonly<Record<string, unknown>> = {}): Promise<Client> =>
    connect(started().url('plain'), { options: { ...QUICK, driver, start: 'earliest', ...options } })
  const until = async (what: string, holds: () => boolean | Promise<boolean>) => {
    for (let tries = 0; !(await holds()); tries += 1) {
      assert.ok(tries < 2000, `${what} did not happen`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  test('members that join and leave under load lose nothing, and the order of each key holds', async () => {
    await started().admin.createTopic('g.load', { partitions: 6 })
    const sender = await open()
    const last = new Map<string, number>()
    const seen = new Set<number>()
    const faults: string[] = []
    let repeats = 0
    const take = (delivery: Delivery) => {
      const [number, key] = [Number(text(delivery)), delivery.key ?? '']
      if (seen.has(number)) {
        repeats += 1
        return
      }
      seen.add(number)
      if ((last.get(key) ?? -1) > number) faults.push(`${number} of ${key} first came after ${last.get(key)}`)
      last.set(key, number)
    }
    const join = async () => {
      const client = await open()
      await client.subscribe('g.load', take, { group: 'g.load', maxInWork: 50 })
      return client
    }
    const members = [await join()]
    let next = 0
    const stop = new AbortController()
    const sending = (async () => {
      while (!stop.signal.aborted) {
        const batch = Array.from({ length: 20 }, () => {
          const number = next++
          return { topic: 'g.load', key: `k${number % 11}`, payload: String(number) }
        })
        await sender.sendMany(batch)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })()
    const some = async () => {
      const from = seen.size
      await until('messages go on', () => seen.size > from + 200)
    }
    await some()
    for (let round = 0; round < 3; round += 1) {
      members.push(await join())
      await some()
    }
    for (let round = 0; round < 3; round += 1) {
      await members.shift()?.close()
      await some()
    }
    stop.abort()
    await sending
    await until('all of it', () => seen.size === next)
    assert.deepEqual(faults, [])
    assert.ok(repeats < next / 5, `${repeats} of ${next} came twice`)
    await Promise.all([...members, sender].map((client) => client.close()))
  })

  test('a cooperative group: what a member has is handed out while another one joins', async () => {
    const broker = started()
    const { admin, pki } = broker
    await admin.createTopic('g.cooperative', { partitions: 6 })
    await admin.allow(
      'g-edge',
      'read topic g.cooperative',
      'write topic g.cooperative',
      'read group g.cooperative',
    )
    const events: string[] = []
    const join = async (name: string) => {
      // all but one go around the proxy
      const tls = name === 'late' ? undefined : { ca: pki.ca, ...(await pki.client('g-edge')) }
      const address = broker.url(tls === undefined ? 'plain' : 'mutual')
      const options = { ...QUICK, start: 'earliest', sessionTimeoutMs: 30_000 }
      const client = await connect(address, { options, ...(tls !== undefined && { tls }) })
      const take = (delivery: Delivery) => void events.push(`${name} ${text(delivery)}`)
      await client.subscribe('g.cooperative', take, { group: 'g.cooperative' })
      return client
    }
    const send = (mark: string) => {
      const keys = Array.from({ length: 60 }, (_, index) => `k${index}`)
      return first.sendMany(keys.map((key) => ({ topic: 'g.cooperative', key, payload: `${mark} ${key}` })))
    }
    const has = (start: string) => events.some((event) => event.startsWith(start))
    const first = await join('first')
    const late = await join('late')
    await until('two share', async () => {
      await send('0')
      return has('first 0') && has('late 0')
    })
    // it does not hear that the group changes, so that the change does not come to its end
    broker.proxy('plain').freeze(true)
    const joining = join('third')
    try {
      await new Promise((resolve) => setTimeout(resolve, 500))
      await send('1')
      await until('the first goes on', () => has('first 1'))
    } finally {
      broker.proxy('plain').freeze(false)
    }
    const third = await joining
    await until('the third has a part', async () => {
      await send('2')
      return has('third 2')
    })
    await until('all of it', () => new Set(events.map((event) => event.replace(/^\w+ /, ''))).size === 180)
    await Promise.all([first, late, third].map((client) => client.close()))
  })

  test('a member that knows only the eager way is shared with', async () => {
    await started().admin.createTopic('g.mixed', { partitions: 4 })
    const lists: string[][] = [[], [], []]
    const join = async (into: string[], rebalance: string) => {
      const client = await open({ rebalance })
      await client.subscribe('g.mixed', (delivery) => void into.push(text(delivery)), { group: 'g.mixed' })
      return client
    }
    const clients = [await join(lists[0] ?? [], 'cooperative'), await join(lists[1] ?? [], 'cooperative')]
    clients.push(await join(lists[2] ?? [], 'eager'))
    const messages = Array.from({ length: 80 }, (_, index) => ({
      topic: 'g.mixed',
      key: `k${index}`,
      payload: String(index),
    }))
    await clients[0]?.sendMany(messages)
    await until('all of it', () => new Set(lists.flat()).size === 80)
    await until('each has a part', () => lists.every((list) => list.length > 0))
    await Promise.all(clients.map((client) => client.close()))
  })

  test('a member with a name of its own takes its place again, and the others keep theirs', async () => {
    await started().admin.createTopic('g.static', { partitions: 4 })
    const places = (into: Set<string>) => (delivery: Delivery) => void into.add(text(delivery))
    const join = async (name: string, into: Set<string>) => {
      const client = await open({ groupInstanceId: name })
      await client.subscribe('g.static', places(into), { group: 'g.static' })
      return client
    }
    const lists = { a: new Set<string>(), b: new Set<string>(), again: new Set<string>() }
    const a = await join('a', lists.a)
    const b = await join('b', lists.b)
    const send = async (mark: string) => {
      const messages = Array.from({ length: 40 }, (_, index) => ({
        topic: 'g.static',
        key: `k${index}`,
        payload: `${mark} k${index}`,
      }))
      await a.sendMany(messages)
    }
    await send('1')
    await until('the first forty', () => lists.a.size + lists.b.size === 40)
    const keysOf = (list: ReadonlySet<string>, mark: string) =>
      [...list]
        .filter((word) => word.startsWith(mark))
        .map((word) => word.slice(2))
        .toSorted()
    const keysOfB = keysOf(lists.b, '1')
    assert.ok(keysOfB.length > 0 && keysOfB.length < 40, `${keysOfB.length} of 40`)
    await b.close()
    // its place is kept: what it had waits for it
    await send('2')
    const again = await join('b', lists.again)
    await until(
      'the second forty',
      () => keysOf(lists.a, '2').length + keysOf(lists.again, '2').length === 40,
    )
    assert.deepEqual(keysOf(lists.again, '2'), keysOfB)
    await Promise.all([a.close(), again.close()])
  })

  test('a poison message goes to the dead-letter topic, and the group is past it', async () => {
    for (const topic of ['g.poison', 'g.dead']) await started().admin.createTopic(topic)
    const client = await open()
    const good: string[] = []
    const work = (delivery: Delivery) => {
      if (text(delivery) === 'poison') throw new Error('it cannot be read')
      good.push(text(delivery))
    }
    const options = { group: 'g.poison', maxDeliveries: 3, redeliveryDelayMs: 10, deadLetterTopic: 'g.dead' }
    const first = await client.subscribe('g.poison', work, options)
    const dead = await client.subscribe('g.dead')
    for (const payload of ['1', 'poison', '2']) await client.send({ topic: 'g.poison', key: 'k', payload })
    const { value: letter } = await dead.next()
    assert.ok(letter)
    assert.deepEqual([text(letter), letter.key], ['poison', 'k'])
    assert.equal(letter.headers?.['backhaul-dead-letter-topic'], 'g.poison')
    letter.ack()
    await until('the others', () => good.length === 2)
    await until('no lag', () => first.lag === 0)
    await first.unsubscribe()
    const second = await client.subscribe('g.poison', { group: 'g.poison' })
    await client.send({ topic: 'g.poison', payload: '3' })
    const { value: next } = await second.next()
    assert.equal(next && text(next), '3')
    await client.close()
  })

  test('a subscription tells how many messages wait', async () => {
    await started().admin.createTopic('g.lag', { partitions: 3 })
    const client = await open()
    const messages = Array.from({ length: 90 }, (_, index) => ({
      topic: 'g.lag',
      key: `k${index}`,
      payload: 'x',
    }))
    await client.sendMany(messages)
    const subscription = await client.subscribe('g.lag', { group: 'g.lag', maxInWork: 10 })
    await until('the lag is known', () => subscription.lag === 90)
    for (let count = 0; count < 90; count += 1) {
      const { value } = await subscription.next()
      value?.ack()
    }
    await until('nothing waits', () => subscription.lag === 0)
    await client.close()
    assert.equal(subscription.lag, undefined)
  })
}
