import assert from 'node:assert/strict'

import type { Outcome } from '../adaptor.ts'
import type { Headers, Message } from '../message.ts'
import type { Behaviour } from './behaviour.ts'
import { behaviour, can, faults } from './behaviour.ts'
import type { Scope } from './scope.ts'
import { bytesOf, textOf } from './scope.ts'
import type { Settlements } from './settlements.ts'
import { checkDelivered } from './settlements.ts'
import { pause, settles } from './waiting.ts'

/** What `publish()` owes. */
export const PUBLISHING: readonly Behaviour[] = [
  behaviour('the bytes of a payload arrive exactly', [can('subscribes')], bytesArrive),
  behaviour('an empty payload arrives', [can('subscribes', 'emptyPayload')], (scope) =>
    payloadsArrive(scope, [new Uint8Array()]),
  ),
  behaviour('a large payload arrives exactly', [can('subscribes')], (scope) =>
    payloadsArrive(scope, [noise(scope.harness.promises.largePayloadBytes)]),
  ),
  behaviour('headers arrive as they were sent', [can('subscribes', 'carriesHeaders')], headersArrive),
  behaviour('the key arrives', [can('subscribes', 'carriesKey')], keysArrive),
  behaviour('the id arrives', [can('subscribes', 'carriesId')], idsArrive),
  behaviour('publish() returns before it settles anything as delivered', [], returnsFirst),
  behaviour('nothing is delivered before the word of the broker', [faults('freeze')], waitsForTheBroker),
  behaviour('each message is settled exactly once', [], settlesOnce),
  behaviour('several batches on their way are all settled', [], severalBatches),
  behaviour('messages of one key arrive in order', [can('subscribes')], (scope) =>
    orderHolds(scope, scope.intensity.keys),
  ),
  behaviour('messages without a key arrive in the order of their topic', [can('subscribes')], (scope) =>
    orderHolds(scope, 0),
  ),
  behaviour('aborting publish() fails what is unsettled, and the link lives', [], abortFails),
  behaviour('aborting publish() works while the broker is silent', [faults('freeze')], abortFailsInSilence),
  behaviour(
    'when a message fails, the later ones of its key fail too',
    [can('keepsOrderAfterFailure')],
    laterOnesFail,
  ),
  behaviour(
    'after a failure the first arrivals of a key are in order',
    [can('subscribes', 'keepsOrderAfterFailure', 'carriesId'), faults('failNext')],
    orderAfterFailure,
  ),
]

async function payloadsArrive(scope: Scope, payloads: readonly Uint8Array[]): Promise<void> {
  const topic = await scope.topic('payload')
  const link = await scope.dial()
  const reader = await scope.read(link, topic)
  for (const payload of payloads) {
    await scope.deliver(link, [scope.message(topic, { payload })])
    const { payload: arrived, topic: where } = await reader.next()
    assert.equal(where, topic)
    assert.equal(arrived.length, payload.length, 'the payload has another length')
    assert.ok(
      arrived.every((byte, index) => byte === payload[index]),
      'the payload has other bytes',
    )
  }
}

async function bytesArrive(scope: Scope): Promise<void> {
  const every = Uint8Array.from({ length: 256 }, (_, index) => index)
  const view = every.subarray(100, 110)
  await payloadsArrive(scope, [every, view, bytesOf('\0\r\n'), Uint8Array.of(0xff, 0xfe, 0xc3), bytesOf('ü')])
}

function noise(length: number): Uint8Array {
  let state = 12_345
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 24
  })
}

async function headersArrive(scope: Scope): Promise<void> {
  const topic = await scope.topic('headers')
  const link = await scope.dial()
  const reader = await scope.read(link, topic)
  const samples: readonly Headers[] = [
    { 'content-type': 'application/json' },
    { 'x.dotted': 'ü 日本 🚚', x_under: 'a=b;c', empty: '', long: 'x'.repeat(500), number: '007' },
  ]
  for (const headers of samples) {
    await scope.deliver(link, [scope.message(topic, { headers, key: 'k' })])
    assert.deepEqual({ ...(await reader.next()).headers }, headers)
  }
  await scope.deliver(link, [scope.message(topic)])
  assert.deepEqual({ ...(await reader.next()).headers }, {}, 'headers came where none were sent')
}

async function keysArrive(scope: Scope): Promise<void> {
  const topic = await scope.topic('key')
  const link = await scope.dial()
  const reader = await scope.read(link, topic)
  for (const key of ['camera-1', 'ü 日本', undefined]) {
    await scope.deliver(link, [scope.message(topic, { key })])
    assert.equal((await reader.next()).key, key)
  }
}

async function idsArrive(scope: Scope): Promise<void> {
  const topic = await scope.topic('id')
  const link = await scope.dial()
  const reader = await scope.read(link, topic)
  const sent = [scope.message(topic), scope.message(topic, { id: 'x'.repeat(128) })]
  await scope.deliver(link, sent)
  const arrived = await reader.take(sent.length)
  assert.deepEqual(
    arrived.map(({ id }) => id),
    sent.map(({ id }) => id),
  )
}

async function returnsFirst(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const messages = scope.messages(await scope.topic('later'), 5)
  let returned = false
  let early = 0
  const settlements = scope.send(link, [])
  assert.equal(settlements.unsettled, 0)
  await scope.within(
    'settling a batch',
    new Promise<void>((resolve) => {
      let left = messages.length
      link.publish(
        messages,
        (_, { kind }) => {
          if (!returned && kind === 'delivered') early += 1
          left -= 1
          if (left === 0) resolve()
        },
        scope.ended,
      )
      returned = true
    }),
  )
  assert.equal(early, 0, `${early} messages were settled inside publish()`)
}

async function waitsForTheBroker(scope: Scope): Promise<void> {
  const link = await scope.dial()
  await scope.works(link)
  await scope.fault('freeze')(true)
  const settlements = scope.send(link, scope.messages(await scope.topic('frozen'), 3))
  await pause(scope.quietMs)
  const early = settlements.outcomes.filter((outcome) => outcome?.kind === 'delivered').length
  await scope.fault('freeze')(false)
  assert.equal(early, 0, `${early} messages were delivered while the broker was silent`)
  await settlements.all(scope.waitMs)
}

async function settlesOnce(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const topic = await scope.topic('once')
  const abort = new AbortController()
  const all: Settlements[] = []
  for (let round = 0; round < 4; round += 1) {
    const signal = round === 2 ? abort.signal : undefined
    all.push(scope.send(link, scope.messages(topic, scope.intensity.messages / 4), signal))
  }
  abort.abort()
  for (const settlements of all) await settlements.all(scope.waitMs)
  const last = scope.send(link, scope.messages(topic, 5))
  await scope.close(link)
  await last.all(scope.waitMs)
  // a second word for a message would come with the end of the link
  await scope.lost(link)
  await new Promise((resolve) => setImmediate(resolve))
  for (const settlements of [...all, last]) settlements.checkOnce()
}

async function severalBatches(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const topic = await scope.topic('batches')
  const { maxInFlight } = link.capabilities
  const batches: Settlements[] = []
  // more than may be on its way: the link must hold back what is too much
  const total = Math.max(scope.intensity.messages, Math.min(maxInFlight * 2, 500))
  for (let sent = 0; sent < total; sent += 10) batches.push(scope.send(link, scope.messages(topic, 10)))
  for (const batch of batches) checkDelivered(await batch.all(scope.waitMs))
}

async function orderHolds(scope: Scope, keys: number): Promise<void> {
  const topic = await scope.topic('order')
  const link = await scope.dial()
  const reader = await scope.read(link, topic)
  const sent = Array.from({ length: scope.intensity.messages }, (_, index) => {
    const key = keys === 0 ? undefined : `key-${index % keys}`
    return scope.message(topic, { key, payload: bytesOf(`${index} ${key ?? ''}`) })
  })
  const batches: Settlements[] = []
  for (let from = 0; from < sent.length; from += 7) {
    batches.push(scope.send(link, sent.slice(from, from + 7)))
  }
  const last = new Map<string, number>()
  for (const { payload } of await reader.take(sent.length)) {
    const [number = '', key = ''] = textOf(payload).split(' ')
    const before = last.get(key) ?? -1
    assert.ok(before < Number(number), `message ${number} of "${key}" came after ${before}`)
    last.set(key, Number(number))
  }
  for (const batch of batches) checkDelivered(await batch.all(scope.waitMs))
}

async function abortFails(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const topic = await scope.topic('abort')
  const before = await scope.publish(link, scope.messages(topic, 3), AbortSignal.abort())
  assert.deepEqual(
    before.map(({ kind }) => kind),
    ['failed', 'failed', 'failed'],
  )
  const abort = new AbortController()
  const settlements = scope.send(link, scope.messages(topic, scope.intensity.messages), abort.signal)
  abort.abort()
  checkFailures(scope, await settlements.all(scope.waitMs))
  await scope.works(link)
}

async function abortFailsInSilence(scope: Scope): Promise<void> {
  const link = await scope.dial()
  await scope.works(link)
  await scope.fault('freeze')(true)
  const abort = new AbortController()
  const settlements = scope.send(link, scope.messages(await scope.topic('abort'), 5), abort.signal)
  abort.abort()
  // long before the keep-alive ends the link
  const outcomes = await settlements.all(Math.min(scope.waitMs, scope.harness.promises.freezeNoticedMs / 4))
  assert.ok(!(await settles(1, link.lost)), 'the link ended')
  await scope.fault('freeze')(false)
  assert.ok(
    outcomes.every(({ kind }) => kind === 'failed'),
    'something else than a failure came from a silent broker',
  )
  checkFailures(scope, outcomes)
}

function checkFailures(scope: Scope, outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) {
    if (outcome.kind === 'delivered') continue
    assert.equal(outcome.kind, 'failed')
    scope.check(outcome.error)
  }
}

/** Checks it for an abort, and for a broker that is not able where the harness can have one. */
async function laterOnesFail(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const topic = await scope.topic('fail')
  const abort = new AbortController()
  const failing = [scope.message(topic, { key: 'a' }), scope.message(topic, { key: 'b' })]
  const following = ['a', 'c', 'b', 'a'].map((key) => scope.message(topic, { key }))
  const first = scope.send(link, failing, abort.signal)
  const second = scope.send(link, following)
  abort.abort()
  await checkFollowers(scope, first, second)
  if (scope.harness.faults?.failNext === undefined) return
  await scope.fault('failNext')(2)
  await checkFollowers(scope, scope.send(link, failing), scope.send(link, following))
}

async function checkFollowers(scope: Scope, first: Settlements, second: Settlements): Promise<void> {
  const failed = new Set<string | undefined>()
  for (const [index, outcome] of (await first.all(scope.waitMs)).entries()) {
    if (outcome.kind === 'failed') failed.add(first.messages[index]?.key)
  }
  for (const [index, outcome] of (await second.all(scope.waitMs)).entries()) {
    const key = second.messages[index]?.key
    assert.ok(
      !failed.has(key) || outcome.kind !== 'delivered',
      `an earlier message of the key "${key}" failed and a later one was delivered`,
    )
  }
}

async function orderAfterFailure(scope: Scope): Promise<void> {
  const topic = await scope.topic('first-arrivals')
  const link = await scope.dial()
  const reader = await scope.read(link, topic)
  const sent = Array.from({ length: 40 }, (_, index) =>
    scope.message(topic, { key: `key-${index % 3}`, payload: bytesOf(String(index)) }),
  )
  await scope.fault('failNext')(3)
  let left: readonly Message[] = sent
  for (let round = 0; left.length > 0; round += 1) {
    assert.ok(round < 10, 'messages fail again and again')
    const batches: Settlements[] = []
    for (let from = 0; from < left.length; from += 9) {
      batches.push(scope.send(link, left.slice(from, from + 9)))
    }
    const again: Message[] = []
    for (const batch of batches) {
      for (const [index, outcome] of (await batch.all(scope.waitMs)).entries()) {
        const message = batch.messages[index]
        if (outcome.kind === 'failed' && message !== undefined) again.push(message)
      }
    }
    left = again
  }
  const seen = new Set<string | undefined>()
  const last = new Map<string, number>()
  await reader.until('every message', (delivery) => {
    const { id } = delivery
    const number = Number(textOf(delivery.payload))
    delivery.ack()
    const key = `key-${number % 3}`
    if (!seen.has(id)) {
      assert.ok(
        (last.get(key) ?? -1) < number,
        `message ${number} of "${key}" first came after ${last.get(key)}`,
      )
      last.set(key, number)
    }
    seen.add(id)
    return seen.size === sent.length
  })
}
