import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Credentials, Message, Outcome } from '../../src/contract/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import { linked, scripted, settled } from './scripted-adaptor.ts'

const outage = () => new BackhaulError('UNREACHABLE', 'Cannot connect: nothing answers, start the broker')
const refusal = () => new BackhaulError('BAD_CREDENTIALS', 'Cannot connect: refused, check the password')
const message: Message = {
  id: '1',
  topic: 'a',
  payload: new Uint8Array(),
  key: undefined,
  headers: undefined,
}

test('open() dials with the options and fresh credentials, and says connected with peer and capabilities', async () => {
  const auth = { user: 'edge', password: 'p' }
  const { adaptor, connection, clock, states } = scripted({
    credentials: () => Promise.resolve({ tls: undefined, auth }),
  })
  assert.deepEqual(connection.current, { state: 'connecting', attempt: 1 })
  connection.open()
  connection.open()
  await settled()
  assert.equal(adaptor.dials.length, 1)
  assert.deepEqual(adaptor.last.request, { options: 'options', tls: undefined, auth })
  const link = adaptor.last.accept()
  await settled()
  const { peer, capabilities } = link
  assert.deepEqual(connection.current, { state: 'connected', peer, capabilities, sinceMs: clock.now() })
  assert.deepEqual(states, ['connecting', 'connected'])
  assert.equal(clock.timers, 0)
  await connection.close()
})

test('an outage is waited out for ever, with pauses that grow with it up to their ceiling', async () => {
  const { adaptor, connection, clock } = scripted({ maxRetries: 3 })
  const startMs = clock.monotonic()
  connection.open()
  const pauses: number[] = []
  const limits: boolean[] = []
  for (let attempt = 1; attempt <= 120; attempt += 1) {
    await settled()
    assert.deepEqual(connection.current, { state: 'connecting', attempt })
    const error = outage()
    adaptor.last.fail(error)
    await settled()
    const status = connection.current
    assert.ok(status.state === 'waiting')
    assert.equal(status.error, error)
    assert.equal(status.attempt, attempt)
    limits.push(status.limitReached)
    const pause = status.nextTryAtMs - clock.now()
    const longest = Math.max(1000, Math.ceil((clock.monotonic() - startMs) / 20))
    assert.ok(pause <= longest, `${pause} ms is longer than ${longest} ms`)
    pauses.push(pause)
    assert.equal(clock.timers, 1)
    clock.advance(clock.nextMs ?? 0)
  }
  assert.deepEqual(pauses.slice(0, 5), [250, 500, 1000, 1000, 1000])
  assert.deepEqual(pauses.slice(-3), [30_000, 30_000, 30_000])
  assert.deepEqual(
    pauses,
    pauses.toSorted((a, b) => a - b),
  )
  assert.deepEqual(limits.slice(0, 4), [false, false, true, true])
  await connection.close()
  assert.equal(clock.timers, 0)
})

test('a pause is as long as the shortest limit from the first failed dial on', async () => {
  const { adaptor, connection, clock } = scripted({ backoff: { minMs: 5000, maxMs: 5000 } })
  connection.open()
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    await settled()
    adaptor.last.fail(outage())
    await settled()
    assert.equal(clock.nextMs, 5000)
    clock.advance(5000)
  }
  await settled()
  await connection.close()
})

test('a link that is lost after a steady life is dialled again with the shortest pause', async () => {
  const { adaptor, connection, clock, states } = scripted()
  connection.open()
  await settled()
  for (let index = 0; index < 4; index += 1) {
    adaptor.last.fail(outage())
    await settled()
    clock.advance(30_000)
    await settled()
  }
  adaptor.last.accept()
  await settled()
  clock.advance(10_000)
  adaptor.link.lose()
  await settled()
  assert.deepEqual(states.slice(-3), ['connected', 'lost', 'waiting'])
  const status = connection.current
  assert.ok(status.state === 'waiting')
  assert.equal(status.attempt, 0)
  assert.equal(status.error.code, 'LINK_LOST')
  assert.equal(status.nextTryAtMs - clock.now(), 250)
  clock.advance(250)
  await settled()
  assert.deepEqual(connection.current, { state: 'connecting', attempt: 1 })
  await connection.close()
})

test('links that die at once are dialled with longer and longer pauses', async () => {
  const { adaptor, connection, clock } = scripted()
  connection.open()
  await settled()
  const pauses: (number | undefined)[] = []
  for (let index = 0; index < 9; index += 1) {
    adaptor.last.accept()
    await settled()
    clock.advance(9999)
    adaptor.link.lose()
    await settled()
    pauses.push(clock.nextMs)
    clock.advance(30_000)
    await settled()
  }
  assert.deepEqual(pauses, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  await connection.close()
})

test('a refusal is its own state and is tried again every 60 s', async () => {
  const { adaptor, connection, clock } = scripted()
  connection.open()
  for (let round = 0; round < 3; round += 1) {
    await settled()
    const error = refusal()
    adaptor.last.fail(error)
    await settled()
    assert.deepEqual(connection.current, { state: 'refused', error, nextTryAtMs: clock.now() + 60_000 })
    clock.advance(59_999)
    await settled()
    assert.equal(adaptor.dials.length, round + 1)
    clock.advance(1)
  }
  await settled()
  adaptor.last.accept()
  await settled()
  assert.equal(connection.current.state, 'connected')
  await connection.close()
})

test('a link that ends with a refusal leads to refused', async () => {
  const { adaptor, connection, states } = await linked()
  adaptor.link.lose(new BackhaulError('NOT_AUTHORIZED', 'Cannot go on: the broker threw us out'))
  await settled()
  assert.deepEqual(states.slice(-2), ['lost', 'refused'])
  await connection.close()
})

test('retryNow() ends a pause and a refusal at once', async () => {
  for (const error of [outage(), refusal()]) {
    const { adaptor, connection, clock } = scripted()
    connection.retryNow()
    connection.open()
    await settled()
    adaptor.last.fail(error)
    await settled()
    connection.retryNow()
    await settled()
    assert.equal(adaptor.dials.length, 2)
    assert.equal(clock.timers, 1, 'only the time limit of the dial is left')
    await connection.close()
  }
})

test('retryNow() during a dial has the next one follow its failure without a pause, once', async () => {
  const { adaptor, connection } = scripted()
  connection.open()
  await settled()
  connection.retryNow()
  adaptor.last.fail(refusal())
  await settled()
  assert.equal(adaptor.dials.length, 2)
  adaptor.last.fail(refusal())
  await settled()
  assert.equal(connection.current.state, 'refused')
  await connection.close()
})

test('retryNow() leaves a link alone, and a wish from the time of its dial is forgotten', async () => {
  const { adaptor, connection } = scripted()
  connection.open()
  await settled()
  connection.retryNow()
  adaptor.last.accept()
  await settled()
  connection.retryNow()
  adaptor.link.lose()
  await settled()
  assert.equal(connection.current.state, 'waiting')
  await connection.close()
})

test('errors of the credentials source are refusals, whatever it throws', async () => {
  const missing = new BackhaulError('FILE_UNREADABLE', 'Cannot read "key.pem": it is missing, check the path')
  const sources: [() => Promise<Credentials>, string][] = [
    [() => Promise.reject(missing), 'FILE_UNREADABLE'],
    [() => Promise.reject(new TypeError('secret words')), 'INTERNAL'],
    [
      () => {
        throw new BackhaulError(
          'PASSPHRASE_WRONG',
          'Cannot open the key: wrong passphrase, give the right one',
        )
      },
      'PASSPHRASE_WRONG',
    ],
  ]
  for (const [credentials, code] of sources) {
    const { adaptor, connection } = scripted({ credentials })
    connection.open()
    await settled()
    const status = connection.current
    assert.ok(status.state === 'refused')
    assert.equal(status.error.code, code)
    assert.doesNotMatch(status.error.message, /secret/)
    assert.equal(adaptor.dials.length, 0)
    await connection.close()
  }
})

test('credentials are made at every dial', async () => {
  let user = 0
  const credentials = () =>
    Promise.resolve({ tls: undefined, auth: { user: `${++user}`, password: undefined } })
  const { adaptor, connection, clock } = scripted({ credentials })
  connection.open()
  await settled()
  adaptor.last.fail(outage())
  await settled()
  clock.advance(250)
  await settled()
  assert.deepEqual(
    adaptor.dials.map(({ request }) => request.auth?.user),
    ['1', '2'],
  )
  await connection.close()
})

test('what an adaptor throws and is not ours is an outage', async () => {
  const { adaptor, connection } = scripted()
  connection.open()
  await settled()
  adaptor.last.fail(new TypeError('x is not a function'))
  await settled()
  const status = connection.current
  assert.ok(status.state === 'waiting')
  assert.equal(status.error.code, 'INTERNAL')
  await connection.close()
})

test('a dial that takes too long is aborted, and is an outage', async () => {
  const { adaptor, connection, clock } = scripted({ dialTimeoutMs: 5000 })
  connection.open()
  await settled()
  clock.advance(4999)
  assert.equal(adaptor.last.signal.aborted, false)
  clock.advance(1)
  await settled()
  assert.equal(adaptor.last.signal.aborted, true)
  const status = connection.current
  assert.ok(status.state === 'waiting')
  assert.equal(status.error.code, 'TIMEOUT')
  await connection.close()
})

test('a credentials source that never answers counts into the time of the dial', async () => {
  const { connection, clock } = scripted({ credentials: () => new Promise(() => {}) })
  connection.open()
  await settled()
  clock.advance(10_000)
  await settled()
  assert.equal(connection.current.state, 'waiting')
  const closed = connection.close()
  await settled()
  await closed
})

test('a link that comes after its dial was given up is closed', async () => {
  const { adaptor, connection, clock } = scripted({ dialTimeoutMs: 5000 })
  const dial = adaptor.dial.bind(adaptor)
  adaptor.dial = (request) => dial(request, new AbortController().signal)
  connection.open()
  await settled()
  const first = adaptor.last
  clock.advance(5000)
  await settled()
  assert.equal(connection.current.state, 'waiting')
  const link = first.accept()
  await settled()
  assert.equal(link.closes, 1)
  assert.equal(connection.current.state, 'waiting')
  await connection.close()
})

test('publish() hands to the link, and fails everything where there is none', async () => {
  const { adaptor, connection } = await linked()
  const outcomes: Outcome[] = []
  const publish = () => {
    outcomes.length = 0
    connection.publish(
      [message, message],
      (index, outcome) => (outcomes[index] = outcome),
      AbortSignal.abort(),
    )
    return outcomes.map((outcome) => ('error' in outcome ? outcome.error.code : outcome.kind))
  }
  assert.deepEqual(publish(), ['delivered', 'delivered'])
  assert.deepEqual(adaptor.link.published, ['a', 'a'])
  adaptor.link.lose()
  await settled()
  assert.deepEqual(publish(), ['LINK_LOST', 'LINK_LOST'])
  assert.ok(outcomes.every(({ kind }) => kind === 'failed'))
  await connection.close()
  assert.deepEqual(publish(), ['CLOSED', 'CLOSED'])
})
