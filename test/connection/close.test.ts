import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Status } from '../../src/contract/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import { deferred } from '../../src/kit/deferred.ts'
import { linked, scripted, settled } from './scripted-adaptor.ts'

const isCode = (code: string) => (error: unknown) => error instanceof BackhaulError && error.code === code

test('close() before open() is the end', async () => {
  const { adaptor, connection } = scripted()
  await connection.close()
  connection.open()
  await settled()
  assert.deepEqual(connection.current, { state: 'closed' })
  assert.equal(adaptor.dials.length, 0)
})

test('close() aborts a dial under way, and leaves no timer', async () => {
  const { adaptor, connection, clock, states } = scripted()
  connection.open()
  await settled()
  const closed = connection.close()
  assert.equal(connection.current.state, 'closed')
  await closed
  assert.equal(adaptor.last.signal.aborted, true)
  assert.equal(clock.timers, 0)
  assert.deepEqual(states, ['connecting', 'closed'])
})

test('close() closes a link that was dialled in the same moment, whatever the moment', async () => {
  for (let later = 0; later < 15; later += 1) {
    const { adaptor, connection, clock } = scripted()
    connection.open()
    await settled()
    const link = adaptor.last.accept()
    for (let tick = 0; tick < later; tick += 1) await Promise.resolve()
    await connection.close()
    assert.equal(link.closes, 1, `${later} ticks later`)
    assert.equal(clock.timers, 0)
  }
})

test('close() in the moment of a loss or of a failed dial ends the pause that was about to begin', async () => {
  for (let later = 0; later < 15; later += 1) {
    for (const end of ['lose', 'fail'] as const) {
      const { adaptor, connection, clock } = scripted()
      connection.open()
      await settled()
      if (end === 'lose') adaptor.last.accept()
      await settled()
      if (end === 'lose') adaptor.link.lose()
      else adaptor.last.fail(new BackhaulError('UNREACHABLE', 'Cannot connect: no'))
      for (let tick = 0; tick < later; tick += 1) await Promise.resolve()
      await connection.close()
      assert.equal(clock.timers, 0)
    }
  }
})

test('close() does not wait for ever for a dial that ignores its signal', async () => {
  const { connection, clock } = scripted({ credentials: () => new Promise(() => {}) })
  connection.open()
  await settled()
  const closed = connection.close()
  await settled()
  assert.equal(clock.timers, 1)
  clock.advance(6000)
  await closed
  assert.equal(clock.timers, 0)
})

test('close() ends a pause and a refusal', async () => {
  for (const code of ['UNREACHABLE', 'BAD_CREDENTIALS'] as const) {
    const { adaptor, connection, clock } = scripted()
    connection.open()
    await settled()
    adaptor.last.fail(new BackhaulError(code, 'Cannot connect: no'))
    await settled()
    assert.equal(clock.timers, 1)
    await connection.close()
    assert.equal(clock.timers, 0)
    assert.equal(connection.current.state, 'closed')
  }
})

test('close() closes the link, waits for it, and says closed and nothing after it', async () => {
  const { adaptor, connection, states } = await linked()
  const flushed = deferred()
  adaptor.link.closing = flushed.promise
  let over = false
  const first = connection.close().then(() => (over = true))
  const second = connection.close()
  await settled()
  assert.equal(over, false)
  flushed.resolve()
  await Promise.all([first, second])
  assert.equal(adaptor.link.closes, 1)
  assert.deepEqual(states, ['connecting', 'connected', 'closed'])
})

test('close() leaves a link that does not close after 6 s', async () => {
  const { adaptor, connection, clock } = await linked()
  adaptor.link.closing = new Promise(() => {})
  const closed = connection.close()
  await settled()
  clock.advance(6000)
  await closed
  assert.equal(clock.timers, 0)
})

test('close() works from inside a listener, in every state, and the others see the order', async () => {
  for (const at of ['connecting', 'connected', 'lost', 'waiting'] as const) {
    const { adaptor, connection, clock, states } = scripted()
    adaptor.answer = () => undefined
    const seen: string[] = []
    let closed: Promise<void> | undefined
    connection.open()
    await settled()
    connection.onStatus((status) => {
      if (status.state === at && states.length > 2) closed ??= connection.close()
    })
    connection.onStatus((status) => seen.push(status.state))
    adaptor.link.lose()
    await settled()
    clock.advance(250)
    await settled()
    assert.ok(closed !== undefined, at)
    await closed
    assert.equal(clock.timers, 0)
    assert.equal(connection.current.state, 'closed')
    assert.deepEqual(seen.slice(-2), [at, 'closed'])
    assert.deepEqual(states.slice(-2), [at, 'closed'])
  }
})

test('close() ends iterators that wait, and rejects who waits for a grant', async () => {
  const { adaptor, connection } = await linked()
  const subscription = await connection.subscribe(['a'])
  const waiting = subscription.next()
  adaptor.link.grants = false
  const pending = assert.rejects(connection.subscribe(['b']), isCode('CLOSED'))
  const statuses: Status[] = []
  const reader = (async () => {
    for await (const status of connection.status()) statuses.push(status)
  })()
  await settled()
  await connection.close()
  assert.deepEqual(await waiting, { value: undefined, done: true })
  await Promise.all([pending, reader])
  assert.deepEqual(
    statuses.map(({ state }) => state),
    ['connected', 'closed'],
  )
  await assert.rejects(connection.subscribe(['c']), isCode('CLOSED'))
})

test('close() leaves subscriptions and unfinished deliveries to the broker, and lets words through until the end', async () => {
  const { adaptor, connection, clock } = await linked()
  const subscription = await connection.subscribe(['a'])
  const { stream } = adaptor.link
  const [one, two] = [stream.deliver('1'), stream.deliver('2')]
  const [first, second] = [await subscription.next(), await subscription.next()]
  const flushed = deferred()
  adaptor.link.closing = flushed.promise
  const closed = connection.close()
  await settled()
  first.value?.ack()
  second.value?.nack()
  await subscription.unsubscribe()
  flushed.resolve()
  await closed
  assert.deepEqual(one.words, ['ack'])
  assert.deepEqual(two.words, [])
  assert.equal(stream.returned, 0)
  assert.equal(stream.signal.aborted, false)
  assert.equal(clock.timers, 0)
})
