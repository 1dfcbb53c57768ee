import assert from 'node:assert/strict'
import { test } from 'node:test'

import { BackhaulError } from '../../src/contract/index.ts'
import { consume } from '../../src/connection/index.ts'
import type { ReceivedDelivery } from '../../src/connection/index.ts'
import type { Deferred } from '../../src/kit/deferred.ts'
import { deferred } from '../../src/kit/deferred.ts'
import { linked, settled } from './scripted-adaptor.ts'

/** A handler whose calls the test finishes. */
function held() {
  const running = new Map<string | undefined, Deferred<void>>()
  const handler = ({ id }: ReceivedDelivery) => {
    const call = deferred()
    running.set(id, call)
    return call.promise
  }
  return { running, handler }
}

test('consume() acknowledges what the handler returned from, and gives back what it threw at, with the reason', async () => {
  const { adaptor, connection, clock } = await linked()
  const reasons: unknown[] = []
  const subscription = await connection.subscribe(['a'], {
    maxDeliveries: 2,
    onGaveUp: ({ id }, reason) => void reasons.push([id, reason]),
  })
  const seen: string[] = []
  const consumed = consume(subscription, async ({ id = '', redelivered }) => {
    seen.push(redelivered ? `${id} again` : id)
    if (id === 'bad') throw new TypeError('no')
  })
  const [bad, good] = ['bad', 'good'].map((id) => adaptor.link.stream.deliver(id))
  await settled()
  assert.deepEqual([bad?.words, good?.words], [[], ['ack']])
  clock.advance(1000)
  await settled()
  assert.deepEqual(seen, ['bad', 'good', 'bad again'])
  assert.deepEqual(reasons, [['bad', new TypeError('no')]])
  assert.deepEqual(bad?.words, ['ack'])
  await connection.close()
  await consumed
})

test('consume() runs at most `concurrency` calls at once, in the order of arrival', async () => {
  for (const concurrency of [1, 3]) {
    const { adaptor, connection } = await linked()
    const { running, handler } = held()
    const consumed = consume(await connection.subscribe(['a']), handler, { concurrency })
    for (let id = 1; id <= 5; id += 1) adaptor.link.stream.deliver(`${id}`)
    await settled()
    assert.deepEqual([...running.keys()], ['1', '2', '3'].slice(0, concurrency))
    running.get('1')?.resolve()
    await settled()
    assert.equal(running.size, concurrency + 1)
    for (let id = 2; id <= 5; id += 1) {
      running.get(`${id}`)?.resolve()
      await settled()
    }
    await connection.close()
    await consumed
  }
})

test('the signal of consume() lets running calls acknowledge, starts no other, then leaves the subscription', async () => {
  const { adaptor, connection } = await linked()
  const { running, handler } = held()
  const abort = new AbortController()
  const consumed = consume(await connection.subscribe(['a']), handler, {
    concurrency: 2,
    signal: abort.signal,
  })
  const { stream } = adaptor.link
  const sent = ['1', '2', '3'].map((id) => stream.deliver(id))
  await settled()
  abort.abort()
  await settled()
  assert.equal(stream.returned, 0)
  running.get('1')?.resolve()
  running.get('2')?.reject(new Error('no'))
  await consumed
  assert.equal(stream.returned, 1)
  assert.equal(running.size, 2)
  assert.deepEqual(
    sent.map(({ words }) => words),
    [['ack'], ['nack 0'], ['nack 0']],
  )
  await connection.close()
})

test('consume() that waits for deliveries ends at once by its signal, also by one that aborted before', async () => {
  const { adaptor, connection } = await linked()
  for (const when of ['before', 'later']) {
    const abort = new AbortController()
    if (when === 'before') abort.abort()
    const subscription = await connection.subscribe(['a'])
    const consumed = consume(subscription, () => assert.fail('called'), { signal: abort.signal })
    await settled()
    abort.abort()
    await consumed
    assert.equal(adaptor.link.stream.returned, 1)
  }
  await connection.close()
})

test('consume() rejects when the broker does not grant the topics any more, after running calls', async () => {
  const { adaptor, connection, clock } = await linked()
  const { running, handler } = held()
  const consumed = consume(await connection.subscribe(['a']), handler, { concurrency: 2 })
  let over = false
  const rejected = assert
    .rejects(consumed, (error) => error instanceof BackhaulError && error.code === 'NOT_AUTHORIZED')
    .then(() => (over = true))
  adaptor.link.stream.deliver('1')
  await settled()
  adaptor.link.lose()
  await settled()
  clock.advance(250)
  await settled()
  adaptor.last.accept().grants = false
  await settled()
  adaptor.link.stream.refuse(new BackhaulError('NOT_AUTHORIZED', 'Cannot subscribe: not allowed'))
  await settled()
  assert.equal(over, false)
  running.get('1')?.resolve()
  await rejected
  await connection.close()
})
