import assert from 'node:assert/strict'
import { test } from 'node:test'

import { BackhaulError } from '../../src/contract/index.ts'
import { linked, scripted, settled } from './scripted-adaptor.ts'

const isCode = (code: string) => (error: unknown) => error instanceof BackhaulError && error.code === code
const notAuthorized = () =>
  new BackhaulError('NOT_AUTHORIZED', 'Cannot subscribe: not allowed, ask', undefined, { scope: 'topic' })

async function relink({ adaptor, clock }: Awaited<ReturnType<typeof linked>>, grants = true): Promise<void> {
  adaptor.link.lose()
  await settled()
  clock.advance(30_000)
  await settled()
  adaptor.last.accept().grants = grants
  await settled()
}

test('subscribe() before the first link waits for its grant, also in the middle of a dial', async () => {
  const { adaptor, connection } = scripted()
  let granted = 0
  const pending = [connection.subscribe(['a'])]
  connection.open()
  await settled()
  pending.push(connection.subscribe(['b'], { group: 'g', maxInWork: 7 }))
  for (const each of pending) void each.then(() => (granted += 1))
  const link = adaptor.last.accept()
  link.grants = false
  await settled()
  assert.equal(granted, 0)
  assert.deepEqual(
    link.asked.map(({ topics, options }) => [topics, options]),
    [
      [['a'], { group: undefined, maxInWork: 100 }],
      [['b'], { group: 'g', maxInWork: 7 }],
    ],
  )
  for (const stream of link.asked) stream.grant()
  await Promise.all(pending)
  await connection.close()
})

test('subscriptions are sent on a link before its status says connected', async () => {
  const { adaptor, connection, clock } = await linked()
  await connection.subscribe(['a'])
  const asked: number[] = []
  connection.onStatus(({ state }) => {
    if (state === 'connected') asked.push(adaptor.link.asked.length)
  })
  await relink({ adaptor, connection, clock, states: [] }, false)
  assert.equal(connection.current.state, 'connected', 'although nothing is granted yet')
  assert.deepEqual(asked, [1, 1])
  await connection.close()
})

test('subscribe() rejects a refusal, and the topics may be asked for again', async () => {
  const { adaptor, connection } = await linked()
  adaptor.link.grants = false
  const refused = connection.subscribe(['a'])
  await settled()
  adaptor.link.stream.refuse(notAuthorized())
  await assert.rejects(refused, isCode('NOT_AUTHORIZED'))
  adaptor.link.grants = true
  await connection.subscribe(['a'])
  assert.equal(adaptor.link.asked.length, 2)
  await connection.close()
})

test('subscribe() tells at once what can never be', async () => {
  const { connection } = scripted({ narrowed: { groups: false } })
  await assert.rejects(connection.subscribe([]), isCode('INVALID_TOPIC'))
  await assert.rejects(connection.subscribe(['']), isCode('INVALID_TOPIC'))
  await assert.rejects(connection.subscribe(['a'], { group: 'g' }), isCode('UNSUPPORTED'))
  await assert.rejects(connection.subscribe(['a'], {}, AbortSignal.abort()), isCode('ABORTED'))
  const mute = scripted({ narrowed: { subscribes: false } })
  await assert.rejects(mute.connection.subscribe(['a']), isCode('UNSUPPORTED'))
})

test('the signal of subscribe() gives up the wait for a grant, and the broker hears of it', async () => {
  const { adaptor, connection } = await linked()
  adaptor.link.grants = false
  const abort = new AbortController()
  const pending = connection.subscribe(['a'], {}, abort.signal)
  await settled()
  abort.abort()
  await assert.rejects(pending, isCode('ABORTED'))
  assert.equal(adaptor.link.stream.signal.aborted, true)
  await connection.close()
})

test('one subscription at the broker serves all subscribers of the same topics and group', async () => {
  const { adaptor, connection } = await linked()
  await connection.subscribe(['a', 'b'])
  await connection.subscribe(['b', 'a', 'b'])
  await connection.subscribe(['a', 'b'], { group: 'g' })
  await connection.subscribe(['a'])
  assert.deepEqual(
    adaptor.link.asked.map(({ topics, options }) => [topics.join(), options.group]),
    [
      ['a,b', undefined],
      ['a,b', 'g'],
      ['a', undefined],
    ],
  )
  await connection.close()
})

test('every link is asked for all topics again, with the largest maxInWork of the subscribers', async () => {
  const parts = await linked()
  const { adaptor, connection } = parts
  const subscription = await connection.subscribe(['a'], { maxInWork: 5 })
  await connection.subscribe(['a'], { maxInWork: 50 })
  await connection.subscribe(['b'])
  for (let round = 0; round < 3; round += 1) {
    await relink(parts)
    assert.deepEqual(
      adaptor.link.asked.map(({ topics, options }) => [topics.join(), options.maxInWork]),
      [
        ['a', 50],
        ['b', 100],
      ],
    )
    const delivery = adaptor.link.asked[0]?.deliver(`${round}`)
    const { value } = await subscription.next()
    assert.equal(value?.id, delivery?.id)
  }
  await connection.close()
})

test('a resubscription that is refused ends its subscribers with the error, and no others', async () => {
  const parts = await linked()
  const { adaptor, connection } = parts
  const [one, two, other] = [
    await connection.subscribe(['a']),
    await connection.subscribe(['a']),
    await connection.subscribe(['b']),
  ]
  adaptor.link.asked[0]?.deliver('before')
  await settled()
  await relink(parts, false)
  const waiting = other.next()
  adaptor.link.asked[0]?.refuse(notAuthorized())
  adaptor.link.asked[1]?.grant()
  for (const subscription of [one, two]) {
    assert.equal((await subscription.next()).value?.id, 'before', 'what came before is read first')
    await assert.rejects(subscription.next(), isCode('NOT_AUTHORIZED'))
    assert.equal((await subscription.next()).done, true)
    await subscription.unsubscribe()
  }
  adaptor.link.asked[1]?.deliver('after')
  assert.equal((await waiting).value?.id, 'after')
  await relink(parts)
  assert.deepEqual(
    adaptor.link.asked.map(({ topics }) => topics.join()),
    ['b'],
  )
  await connection.close()
})

test('a passing failure to subscribe is tried again: on a link that lives, after a pause', async () => {
  const { adaptor, connection, clock } = await linked()
  adaptor.link.grants = false
  const pending = connection.subscribe(['a'])
  await settled()
  for (let round = 1; round <= 3; round += 1) {
    adaptor.link.stream.refuse(new BackhaulError('TIMEOUT', 'Cannot subscribe: no answer'))
    await settled()
    assert.equal(adaptor.link.asked.length, round)
    clock.advance(clock.nextMs ?? 0)
    await settled()
    assert.equal(adaptor.link.asked.length, round + 1)
  }
  adaptor.link.stream.grant()
  await pending
  await connection.close()
})

test('a passing failure to subscribe is tried again on the next link', async () => {
  const parts = await linked()
  const { adaptor, connection, clock } = parts
  adaptor.link.grants = false
  const pending = connection.subscribe(['a'])
  await settled()
  adaptor.link.stream.refuse(new BackhaulError('LINK_LOST', 'Cannot subscribe: the link was cut'))
  adaptor.link.lose()
  await settled()
  clock.advance(250)
  await settled()
  adaptor.last.accept()
  await pending
  assert.equal(adaptor.link.asked.length, 1)
  await connection.close()
  assert.equal(clock.timers, 0)
})

test('a stream that ends while its link lives is subscribed again', async () => {
  const { adaptor, connection, clock } = await linked()
  const subscription = await connection.subscribe(['a'])
  const waiting = subscription.next()
  adaptor.link.stream.end()
  await settled()
  clock.advance(250)
  await settled()
  assert.equal(adaptor.link.asked.length, 2)
  adaptor.link.stream.deliver('1')
  assert.equal((await waiting).value?.id, '1')
  await connection.close()
})

test('the last subscriber that leaves ends the subscription at the broker, in each of its ways', async () => {
  const abort = new AbortController()
  const ways = [
    (subscription: AsyncIterable<unknown> & AsyncDisposable & { unsubscribe(): Promise<void> }) =>
      subscription.unsubscribe(),
    async (subscription: AsyncIterable<unknown>) => {
      for await (const _ of subscription) break
    },
    (subscription: AsyncDisposable) => subscription[Symbol.asyncDispose](),
    async () => abort.abort(),
  ]
  for (const leave of ways) {
    const { adaptor, connection } = await linked()
    const first = await connection.subscribe(['a'])
    const last = await connection.subscribe(['a'], {}, abort.signal)
    const { stream } = adaptor.link
    stream.deliver('1')
    await first.unsubscribe()
    assert.equal(stream.returned, 0)
    await leave(last)
    await settled()
    assert.equal(stream.returned, 1)
    assert.equal((await last.next()).done, true)
    await last.unsubscribe()
    assert.equal(stream.returned, 1)
    await connection.close()
  }
})

test('who subscribes again while the broker is being told of the end waits for that', async () => {
  const { adaptor, connection, clock } = await linked()
  const subscription = await connection.subscribe(['a'])
  const { stream } = adaptor.link
  stream.return = () => new Promise(() => {})
  const left = subscription.unsubscribe()
  const again = connection.subscribe(['a'])
  await settled()
  assert.equal(adaptor.link.asked.length, 1)
  clock.advance(6000)
  await Promise.all([left, again])
  assert.equal(adaptor.link.asked.length, 2)
  await connection.close()
})

test('unsubscribe() without a link needs none', async () => {
  const { adaptor, connection, clock } = await linked()
  const subscription = await connection.subscribe(['a'])
  adaptor.link.lose()
  await settled()
  await subscription.unsubscribe()
  clock.advance(250)
  await settled()
  adaptor.last.accept()
  await settled()
  assert.equal(adaptor.link.asked.length, 0)
  await connection.close()
})
