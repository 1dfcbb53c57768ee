import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { MemoryOptions } from '../../src/adaptors/memory/index.ts'
import { createMemoryBroker, memoryAdaptor } from '../../src/adaptors/memory/index.ts'
import { Connection, consume, SharedConnections, signatureOf } from '../../src/connection/index.ts'
import type { Status } from '../../src/contract/index.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** A connection to a broker in memory; both stand on clocks of their own that the test moves. */
function world(clientId?: string, auth = { user: 'edge', password: 'right' }) {
  const broker = createMemoryBroker({ clock: new ManualClock() })
  const clock = new ManualClock()
  const adaptor = memoryAdaptor(broker)
  const connect = (clientId?: string): Connection<MemoryOptions> => {
    const connection = new Connection({
      adaptor,
      options: { broker: 'memory', clientId },
      credentials: () => Promise.resolve({ tls: undefined, auth }),
      clock,
      random: () => 1,
    })
    connection.open()
    return connection
  }
  return { broker, adaptor, clock, auth, connect, connection: connect(clientId) }
}

async function until(connection: Pick<Connection, 'status'>, state: Status['state']): Promise<Status> {
  for await (const status of connection.status()) if (status.state === state) return status
  throw new Error(`it ended before it was ${state}`)
}

function publish(
  connection: Pick<Connection, 'publish'>,
  topic: string,
  ...ids: string[]
): Promise<string[]> {
  return new Promise((resolve) => {
    const outcomes: string[] = []
    const batch = ids.map((id) => ({
      id,
      topic,
      payload: Buffer.from(id),
      key: undefined,
      headers: undefined,
    }))
    const settle = (index: number, { kind }: { readonly kind: string }) => {
      outcomes[index] = kind
      if (outcomes.filter(Boolean).length === ids.length) resolve(outcomes)
    }
    connection.publish(batch, settle, new AbortController().signal)
  })
}

test('a subscription lives through outages of the broker, and what it had not acknowledged comes again', async () => {
  const { broker, clock, connection } = world('edge-1')
  const subscription = await connection.subscribe(['a/#'])
  for (let round = 0; round < 3; round += 1) {
    assert.deepEqual(await publish(connection, 'a/b', `${round}`), ['delivered'])
    const { value: lost } = await subscription.next()
    assert.equal(lost?.id, `${round}`)
    broker.down()
    await until(connection, 'waiting')
    assert.deepEqual(await publish(connection, 'a/b', 'nowhere'), ['failed'])
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const waiting = until(connection, 'connecting').then(() => until(connection, 'waiting'))
      clock.advance(30_000)
      await waiting
    }
    broker.up()
    clock.advance(30_000)
    await until(connection, 'connected')
    // the work that began before the outage acknowledges what the broker delivered again
    await publish(connection, 'a/b', `${round} after`)
    const { value: next } = await subscription.next()
    assert.equal(next?.id, `${round} after`)
    lost?.ack()
    next?.ack()
  }
  await connection.close()
  assert.equal(broker.links, 0)
  assert.equal(clock.timers, 0)
})

test('work that was done during an outage is not given again', async () => {
  const { broker, clock, connection } = world('edge-1')
  const subscription = await connection.subscribe(['a'])
  await publish(connection, 'a', '1', '2')
  const [one, two] = [await subscription.next(), await subscription.next()]
  broker.restart()
  await until(connection, 'waiting')
  one.value?.ack()
  clock.advance(250)
  await until(connection, 'connected')
  await publish(connection, 'a', '3')
  assert.equal((await subscription.next()).value?.id, '3')
  two.value?.ack()
  await connection.close()
})

test('a durable subscription waits at the broker for the next process, but not once it was unsubscribed', async () => {
  const { connect, connection, clock } = world('edge-1')
  const sender = connect()
  await until(sender, 'connected')
  await connection.subscribe(['a'])
  await connection.close()
  await publish(sender, 'a', '1')
  const second = connect('edge-1')
  const subscription = await second.subscribe(['a'])
  const { value } = await subscription.next()
  assert.equal(value?.id, '1')
  value?.ack()
  await subscription.unsubscribe()
  await publish(sender, 'a', '2')
  const again = await second.subscribe(['a'])
  await publish(sender, 'a', '3')
  assert.equal((await again.next()).value?.id, '3')
  await Promise.all([second.close(), sender.close()])
  assert.equal(clock.timers, 0)
})

test('wrong credentials are refused, and the right ones work at retryNow()', async () => {
  const { broker, auth, connection } = world(undefined, { user: 'edge', password: 'wrong' })
  broker.acceptCredentials(({ auth }) => auth?.password === 'right')
  const status = await until(connection, 'refused')
  assert.ok(status.state === 'refused')
  assert.equal(status.error.code, 'BAD_CREDENTIALS')
  auth.password = 'right'
  connection.retryNow()
  await until(connection, 'connected')
  await connection.close()
})

test('topics that are refused on a new link end their own subscription only', async () => {
  const { broker, clock, connection } = world()
  const [kept, lost] = [await connection.subscribe(['kept']), await connection.subscribe(['lost'])]
  broker.refuse({ scope: 'topic', topic: 'lost' })
  await assert.rejects(connection.subscribe(['lost', 'other']), { code: 'NOT_AUTHORIZED' })
  broker.cut()
  await until(connection, 'waiting')
  clock.advance(250)
  await assert.rejects(lost.next(), { code: 'NOT_AUTHORIZED' })
  await publish(connection, 'kept', '1')
  assert.equal((await kept.next()).value?.id, '1')
  await connection.close()
})

test('members of a group share the messages, and a member that leaves gives its own back to the other', async () => {
  const { connect, connection } = world()
  const other = connect()
  const mine = await connection.subscribe(['a'], { group: 'g' })
  const theirs = await other.subscribe(['a'], { group: 'g' })
  await publish(connection, 'a', '1', '2')
  const [first, second] = [(await mine.next()).value, (await theirs.next()).value]
  assert.deepEqual(new Set([first?.id, second?.id]), new Set(['1', '2']))
  second?.ack()
  await mine.unsubscribe()
  const { value } = await theirs.next()
  assert.deepEqual([value?.id, value?.redelivered], [first?.id, true])
  await Promise.all([connection.close(), other.close()])
})

test('handlers work through a thousand messages while links are cut, each at least once', async () => {
  const { broker, clock, connection } = world('edge-1')
  const subscription = await connection.subscribe(['a'], { maxInWork: 20 })
  const seen = new Set<string | undefined>()
  const all = new Promise<void>((resolve) => {
    void consume(
      subscription,
      async ({ id }) => {
        await new Promise(setImmediate)
        seen.add(id)
        if (seen.size === 1000) resolve()
      },
      { concurrency: 10 },
    )
  })
  for (let batch = 0; batch < 10; batch += 1) {
    await until(connection, 'connected')
    const ids = Array.from({ length: 100 }, (_, index) => `${batch * 100 + index}`)
    assert.ok((await publish(connection, 'a', ...ids)).every((kind) => kind === 'delivered'))
    broker.cut()
    await until(connection, 'waiting')
    clock.advance(30_000)
  }
  await all
  await connection.close()
  assert.equal(broker.links, 0)
})

test('shared connections are one link for all holders', async () => {
  const { broker, adaptor, clock, connection } = world()
  await connection.close()
  const shared = new SharedConnections()
  const hold = (password: string) => {
    const options = { broker: 'memory', clientId: undefined }
    const credentials = { auth: { user: 'u', password } }
    const lease = shared.acquire(signatureOf(adaptor.signature(options), credentials), () => {
      const source = () => Promise.resolve({ tls: undefined, ...credentials })
      return new Connection({ adaptor, options, credentials: source, clock })
    })
    lease.connection.open()
    return lease
  }
  const leases = [hold('one'), hold('one'), hold('two')]
  for (const lease of leases) await until(lease.connection, 'connected')
  assert.equal(broker.links, 2)
  await leases[0]?.release()
  assert.equal(broker.links, 2)
  await leases[1]?.release()
  assert.equal(broker.links, 1)
  await leases[2]?.release()
  assert.equal(broker.links, 0)
})
