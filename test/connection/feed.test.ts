import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ReceivedDelivery, Subscription } from '../../src/connection/index.ts'
import { linked, settled } from './scripted-adaptor.ts'

type Parts = Awaited<ReturnType<typeof linked>>

async function take(subscription: Subscription): Promise<ReceivedDelivery> {
  const { value } = await subscription.next()
  assert.ok(value !== undefined)
  return value
}

/** How many deliveries a subscriber has got ready; takes them. */
async function ready(subscription: Subscription): Promise<(string | undefined)[]> {
  await settled()
  const ids: (string | undefined)[] = []
  subscription.stop()
  for await (const { id } of subscription) ids.push(id)
  return ids
}

async function relink({ adaptor, clock }: Parts): Promise<void> {
  adaptor.link.lose()
  await settled()
  clock.advance(30_000)
  await settled()
  adaptor.last.accept()
  await settled()
}

test('the broker gets its acknowledgement when all subscribers of the message are done', async () => {
  const { adaptor, connection } = await linked()
  const [one, two] = [await connection.subscribe(['a']), await connection.subscribe(['a'])]
  const sent = adaptor.link.stream.deliver('1')
  const [first, second] = [await take(one), await take(two)]
  assert.deepEqual([first.id, second.id, first.topic, first.redelivered], ['1', '1', 'a', false])
  first.ack()
  first.ack()
  first.nack()
  assert.deepEqual(sent.words, [])
  second.ack()
  assert.deepEqual(sent.words, ['ack'])
  await connection.close()
})

test('a late subscriber gets what arrives from then on, and owes nothing for the rest', async () => {
  const { adaptor, connection } = await linked()
  const one = await connection.subscribe(['a'])
  const early = adaptor.link.stream.deliver('1')
  const first = await take(one)
  const two = await connection.subscribe(['a'])
  const late = adaptor.link.stream.deliver('2')
  const [mine, theirs] = [await take(one), await take(two)]
  assert.equal(theirs.id, '2')
  first.ack()
  mine.ack()
  assert.deepEqual([early.words, late.words], [['ack'], []])
  theirs.ack()
  assert.deepEqual(late.words, ['ack'])
  await connection.close()
})

test('only the one that gave a delivery back gets it again, after its delay, before all others', async () => {
  const { adaptor, connection, clock } = await linked()
  const one = await connection.subscribe(['a'], { redeliveryDelayMs: 400 })
  const two = await connection.subscribe(['a'])
  const sent = adaptor.link.stream.deliver('1')
  const first = await take(one)
  ;(await take(two)).ack()
  first.nack()
  first.ack()
  first.nack()
  assert.equal(clock.timers, 1)
  adaptor.link.stream.deliver('2')
  await settled()
  clock.advance(399)
  assert.equal((await take(two)).id, '2')
  clock.advance(1)
  const again = await take(one)
  assert.deepEqual([again.id, again.redelivered], ['1', true])
  again.nack(50)
  clock.advance(50)
  ;(await take(one)).ack()
  assert.deepEqual(sent.words, ['ack'])
  await connection.close()
})

test('after maxDeliveries a delivery is given up: onGaveUp takes it with the reason, then it counts as done', async () => {
  const { adaptor, connection, clock } = await linked()
  const dead: unknown[] = []
  const subscription = await connection.subscribe(['a'], {
    maxDeliveries: 3,
    redeliveryDelayMs: 10,
    onGaveUp: async ({ id }, reason) => {
      await settled()
      dead.push([id, reason])
    },
  })
  const sent = adaptor.link.stream.deliver('1')
  for (let round = 1; round <= 3; round += 1) {
    assert.deepEqual([dead, sent.words], [[], []])
    ;(await take(subscription)).nack(undefined, `round ${round}`)
    clock.advance(10)
  }
  assert.deepEqual(sent.words, [], 'not before onGaveUp is through')
  await settled()
  await settled()
  assert.deepEqual([dead, sent.words], [[['1', 'round 3']], ['ack']])
  assert.equal(clock.timers, 0)
  await connection.close()
})

test('without onGaveUp a delivery that is given up counts as done', async () => {
  const { adaptor, connection } = await linked()
  const subscription = await connection.subscribe(['a'], { maxDeliveries: 1 })
  const sent = adaptor.link.stream.deliver('1')
  ;(await take(subscription)).nack()
  await settled()
  assert.deepEqual(sent.words, ['ack'])
  await connection.close()
})

test('a delivery whose onGaveUp fails comes again, and is done the next time', async () => {
  const { adaptor, connection, clock } = await linked()
  let tries = 0
  const subscription = await connection.subscribe(['a'], {
    maxDeliveries: 1,
    onGaveUp: () => {
      tries += 1
      if (tries === 1) throw new Error('the log is full')
    },
  })
  const sent = adaptor.link.stream.deliver('1')
  ;(await take(subscription)).nack()
  await settled()
  assert.deepEqual(sent.words, [])
  clock.advance(1000)
  ;(await take(subscription)).nack()
  await settled()
  assert.deepEqual([tries, sent.words], [2, ['ack']])
  await connection.close()
})

test('a repeat on a new link joins the work under way, and its delivery gets the acknowledgement', async () => {
  const parts = await linked()
  const { adaptor, connection } = parts
  const subscription = await connection.subscribe(['a'])
  const before = adaptor.link.stream.deliver('1')
  const running = await take(subscription)
  await relink(parts)
  const repeat = adaptor.link.stream.deliver('1')
  await settled()
  running.ack()
  assert.deepEqual([before.words, repeat.words], [[], ['ack']])
  assert.deepEqual(await ready(subscription), [])
  await connection.close()
})

test('a repeat on the same link joins too, and both deliveries are acknowledged', async () => {
  const { adaptor, connection } = await linked()
  const subscription = await connection.subscribe(['a'])
  const sent = [1, 2, 3].map(() => adaptor.link.stream.deliver('1'))
  const running = await take(subscription)
  await settled()
  running.ack()
  assert.deepEqual(
    sent.map(({ words }) => words),
    [['ack'], ['ack'], ['ack']],
  )
  assert.deepEqual(await ready(subscription), [])
  await connection.close()
})

test('a repeat joins while the message waits to come again', async () => {
  const parts = await linked()
  const { adaptor, connection, clock } = parts
  const subscription = await connection.subscribe(['a'], { redeliveryDelayMs: 60_000 })
  adaptor.link.stream.deliver('1')
  ;(await take(subscription)).nack()
  await relink(parts)
  const repeat = adaptor.link.stream.deliver('1')
  clock.advance(60_000)
  ;(await take(subscription)).ack()
  assert.deepEqual(repeat.words, ['ack'])
  assert.deepEqual(await ready(subscription), [])
  await connection.close()
})

test('a repeat of what was done while there was no link is acknowledged at once, also for a full subscriber', async () => {
  const parts = await linked()
  const { adaptor, connection } = parts
  const subscription = await connection.subscribe(['a'], { maxInWork: 1 })
  adaptor.link.stream.deliver('1')
  const running = await take(subscription)
  await relink(parts)
  const repeat = adaptor.link.stream.deliver('1')
  const next = adaptor.link.stream.deliver('2')
  await settled()
  running.ack()
  assert.equal((await take(subscription)).id, '2')
  assert.deepEqual([repeat.words, next.words], [['ack'], []])
  await connection.close()
})

test('messages without an id, or with another topic, are never taken for repeats', async () => {
  const { adaptor, connection } = await linked()
  const subscription = await connection.subscribe(['a', 'b'])
  const sent = [undefined, undefined].map((id) => adaptor.link.stream.deliver(id))
  sent.push(adaptor.link.stream.deliver('1', 'a'), adaptor.link.stream.deliver('1', 'b'))
  for (const { words } of sent) {
    assert.deepEqual(words, [])
    ;(await take(subscription)).ack()
    assert.deepEqual(words, ['ack'])
  }
  await connection.close()
})

test('a full subscriber holds the stream up: nothing more is read until it finishes one', async () => {
  const { adaptor, connection } = await linked()
  const slow = await connection.subscribe(['a'], { maxInWork: 2 })
  const fast = await connection.subscribe(['a'])
  const { stream } = adaptor.link
  for (let id = 1; id <= 5; id += 1) stream.deliver(`${id}`)
  await settled()
  assert.equal(stream.reads, 2)
  const first = await take(slow)
  await settled()
  assert.equal(stream.reads, 2, 'reading alone makes no room')
  first.ack()
  await settled()
  assert.equal(stream.reads, 3)
  await slow.unsubscribe()
  await settled()
  assert.equal(stream.reads, 6, 'without the slow one all is read')
  assert.equal((await take(fast)).id, '1')
  await connection.close()
})

test('stop() has nothing more read or handed out, and lets words on the rest through', async () => {
  const { adaptor, connection, clock } = await linked()
  const subscription = await connection.subscribe(['a'], { maxInWork: 10 })
  const { stream } = adaptor.link
  const sent = ['1', '2', '3', '4'].map((id) => stream.deliver(id))
  const [one, two] = [await take(subscription), await take(subscription)]
  await settled()
  subscription.stop()
  assert.equal((await subscription.next()).done, true)
  const reads = stream.reads
  stream.deliver('5')
  await settled()
  assert.ok(stream.reads <= reads + 1)
  one.ack()
  two.nack()
  assert.equal(clock.timers, 0)
  assert.deepEqual(
    sent.map(({ words }) => words),
    [['ack'], [], [], []],
  )
  await subscription.unsubscribe()
  assert.deepEqual(
    sent.map(({ words }) => words),
    [['ack'], ['nack 0'], ['nack 0'], ['nack 0']],
  )
  await connection.close()
})

test('a stopped subscriber does not hold up the others', async () => {
  const { adaptor, connection } = await linked()
  const stopped = await connection.subscribe(['a'], { maxInWork: 1 })
  const other = await connection.subscribe(['a'])
  const first = adaptor.link.stream.deliver('1')
  const running = await take(stopped)
  stopped.stop()
  const second = adaptor.link.stream.deliver('2')
  ;(await take(other)).ack()
  ;(await take(other)).ack()
  assert.deepEqual([first.words, second.words], [[], ['ack']])
  running.ack()
  assert.deepEqual(first.words, ['ack'])
  await connection.close()
})

test('who leaves gives up what is unfinished: it no longer holds the acknowledgement', async () => {
  const { adaptor, connection } = await linked()
  const [one, two] = [await connection.subscribe(['a']), await connection.subscribe(['a'])]
  const done = adaptor.link.stream.deliver('done by the other')
  const open = adaptor.link.stream.deliver('open at the other')
  const mine = await take(one)
  ;(await take(two)).ack()
  const theirs = await take(two)
  await one.unsubscribe()
  assert.deepEqual([done.words, open.words], [['ack'], []])
  mine.ack()
  mine.nack()
  theirs.ack()
  assert.deepEqual(open.words, ['ack'])
  await connection.close()
})

test('what nobody did goes back to the broker, although there are subscribers that came later', async () => {
  const { adaptor, connection } = await linked()
  const one = await connection.subscribe(['a'])
  const sent = adaptor.link.stream.deliver('1')
  await take(one)
  await connection.subscribe(['a'])
  await one.unsubscribe()
  assert.deepEqual(sent.words, ['nack 0'])
  await connection.close()
})

test('the last one that leaves hands everything unfinished back: queued, in work, or waiting to come again', async () => {
  const { adaptor, connection, clock } = await linked()
  const subscription = await connection.subscribe(['a'])
  const sent = ['1', '2', '3'].map((id) => adaptor.link.stream.deliver(id))
  await take(subscription)
  ;(await take(subscription)).nack()
  await settled()
  await subscription.unsubscribe()
  assert.deepEqual(
    sent.map(({ words }) => words),
    [['nack 0'], ['nack 0'], ['nack 0']],
  )
  assert.equal(clock.timers, 0)
  await connection.close()
})

test('what the last one did not do goes back, although another had done it and left', async () => {
  const { adaptor, connection } = await linked()
  const [one, two] = [await connection.subscribe(['a']), await connection.subscribe(['a'])]
  const sent = adaptor.link.stream.deliver('1')
  ;(await take(one)).ack()
  await one.unsubscribe()
  assert.deepEqual(sent.words, [])
  await two.unsubscribe()
  assert.deepEqual(sent.words, ['nack 0'])
  await connection.close()
})

test('several readers of one subscription each get other deliveries', async () => {
  const { adaptor, connection } = await linked()
  const subscription = await connection.subscribe(['a'])
  const waiting = [take(subscription), take(subscription)]
  for (const id of ['1', '2']) adaptor.link.stream.deliver(id)
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ id }) => id),
    ['1', '2'],
  )
  await connection.close()
})

test('a delivery that arrives in the moment of leaving goes back, and leaving does not wait for another', async () => {
  const { adaptor, connection, clock } = await linked()
  const subscription = await connection.subscribe(['a'])
  await settled()
  const sent = adaptor.link.stream.deliver('1')
  await subscription.unsubscribe()
  assert.deepEqual(sent.words, ['nack 0'])
  assert.equal(clock.timers, 0)
  await connection.close()
})
