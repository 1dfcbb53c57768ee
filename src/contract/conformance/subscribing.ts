import assert from 'node:assert/strict'

import type { Link } from '../adaptor.ts'
import type { Behaviour } from './behaviour.ts'
import { behaviour, can, faults, given } from './behaviour.ts'
import type { Reader } from './reader.ts'
import type { Scope } from './scope.ts'
import { textOf } from './scope.ts'
import { pause, settles } from './waiting.ts'

/** What `subscribe()` owes. */
export const SUBSCRIBING: readonly Behaviour[] = [
  behaviour(
    'everything published after subscribe() resolved arrives',
    [can('subscribes')],
    everythingArrives,
  ),
  behaviour('one subscription to several topics gets each of them', [can('subscribes')], severalTopics),
  behaviour('several subscriptions to one topic each get everything', [can('subscribes')], eachGetsAll),
  behaviour('messages of one topic do not come to another', [can('subscribes')], topicsAreApart),
  behaviour(
    'a pattern brings the topics that it matches and no others',
    [
      can('subscribes', 'patterns'),
      given('the harness has no pattern()', ({ harness }) => harness.pattern !== undefined),
    ],
    patternsMatch,
  ),
  behaviour('members of a group share the messages', [can('subscribes', 'groups')], groupsShare),
  behaviour('no more than maxInWork deliveries are in work at once', [can('subscribes')], maxInWorkHolds),
  behaviour('deliveries may be finished in any order', [can('subscribes')], anyOrder),
  behaviour(
    'nack() brings it again after the delay, marked as redelivered',
    [can('subscribes')],
    nackBringsAgain,
  ),
  behaviour('a delivery that was given back holds up no other', [can('subscribes')], nackHoldsUpNobody),
  behaviour('an acknowledgement counts once, and nothing after it', [can('subscribes')], firstWordCounts),
  behaviour('a reader that does not read holds up nobody else', [can('subscribes')], idleReader),
  behaviour(
    'a reader that does not read does not hold up the keep-alive',
    [
      can('subscribes'),
      given('the harness has no keep-alive short enough to wait for', ({ harness }) => {
        return harness.promises.keepAliveMs !== undefined
      }),
    ],
    idleReaderLives,
  ),
  behaviour('leaving the loop ends the subscription, and no other', [can('subscribes')], leavingEnds),
  behaviour('aborting ends the stream, and the link lives', [can('subscribes')], abortEndsStream),
  behaviour('aborting subscribe() rejects, and the link lives', [can('subscribes')], abortSubscribe),
  behaviour(
    'aborting subscribe() works while the broker is silent',
    [can('subscribes'), faults('freeze')],
    abortSubscribeInSilence,
  ),
  behaviour('streams end with the link, without an error', [can('subscribes')], streamsEnd),
]

async function everythingArrives(scope: Scope): Promise<void> {
  const link = await scope.dial()
  for (let round = 0; round < scope.intensity.rounds * 3; round += 1) {
    const topic = await scope.topic('granted')
    const reader = await scope.read(link, topic)
    const count = Math.max(3, Math.floor(scope.intensity.messages / 10))
    const outcomes = scope.send(link, scope.messages(topic, count))
    await checkNumbers(reader, count)
    await outcomes.all(scope.waitMs)
    await reader.leave()
  }
}

/** Reads messages with payloads from 0 to `count` - 1, each once, in order. */
async function checkNumbers(reader: Reader, count: number): Promise<void> {
  const numbers = (await reader.take(count)).map(({ payload }) => Number(textOf(payload)))
  assert.deepEqual(
    numbers,
    Array.from({ length: count }, (_, index) => index),
  )
}

async function severalTopics(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const topics = [await scope.topic('one'), await scope.topic('two'), await scope.topic('three')]
  const reader = await scope.read(link, topics)
  for (const topic of topics) await scope.deliver(link, [scope.message(topic)])
  const arrived = (await reader.take(topics.length)).map(({ topic }) => topic)
  assert.deepEqual(arrived.toSorted(), topics.toSorted())
  await reader.silence('every topic had one message')
}

async function eachGetsAll(scope: Scope): Promise<void> {
  const topic = await scope.topic('fan-out')
  const link = await scope.dial()
  const other = await scope.dial()
  const readers = [
    await scope.read(link, topic),
    await scope.read(link, topic),
    await scope.read(other, topic),
  ]
  const { messages } = scope.intensity
  const sending = scope.deliver(link, scope.messages(topic, messages))
  await Promise.all([sending, ...readers.map((reader) => checkNumbers(reader, messages))])
  for (const reader of readers) await reader.silence('it has had every message')
}

async function topicsAreApart(scope: Scope): Promise<void> {
  const [here, there] = [await scope.topic('here'), await scope.topic('there')]
  const link = await scope.dial()
  const reader = await scope.read(link, here)
  const elsewhere = await scope.read(link, there)
  await scope.deliver(link, [...scope.messages(there, 5), ...scope.messages(here, 5)])
  for (const { topic } of await reader.take(5)) assert.equal(topic, here)
  for (const { topic } of await elsewhere.take(5)) assert.equal(topic, there)
  await reader.silence('nothing more was published to its topic')
}

async function patternsMatch(scope: Scope): Promise<void> {
  const sample = await scope.harness.pattern?.()
  assert.ok(sample !== undefined)
  const link = await scope.dial()
  const reader = await scope.read(link, sample.pattern)
  for (const topic of [...sample.other, ...sample.matching]) await scope.deliver(link, [scope.message(topic)])
  const arrived = (await reader.take(sample.matching.length)).map(({ topic }) => topic)
  assert.deepEqual(arrived.toSorted(), sample.matching.toSorted())
  await reader.silence('no other topic matches')
}

async function groupsShare(scope: Scope): Promise<void> {
  const topic = await scope.topic('shared')
  const group = scope.harness.group('workers')
  const publisher = await scope.dial()
  const members = [
    await scope.read(await scope.dial(), topic, { group }),
    await scope.read(await scope.dial(), topic, { group }),
  ]
  const all = await scope.read(publisher, topic)
  const { messages } = scope.intensity
  const sent = Array.from({ length: messages }, (_, index) => scope.message(topic, { key: `key-${index}` }))
  const wanted = new Set(sent.map(({ payload }) => textOf(payload)))
  const sending = scope.deliver(publisher, sent)
  const got: string[] = []
  const done = new Promise<void>((resolve) => {
    for (const member of members) {
      void collect(member, (text) => {
        got.push(text)
        if (got.length === messages) resolve()
      })
    }
  })
  await Promise.all([sending, all.take(messages), scope.within('every message coming to the group', done)])
  assert.equal(new Set(got).size, messages, 'a message came to the group twice')
  assert.ok(got.every((text) => wanted.has(text)))
  await pause(scope.quietMs)
  assert.equal(got.length, messages, 'members of the group got more than there is')
}

/** Acknowledges and tells everything that comes, until the stream ends. */
async function collect(reader: Reader, told: (text: string) => void): Promise<void> {
  for await (const delivery of reader.stream) {
    delivery.ack()
    told(textOf(delivery.payload))
  }
}

async function maxInWorkHolds(scope: Scope): Promise<void> {
  const topic = await scope.topic('in-work')
  const link = await scope.dial()
  const reader = await scope.read(link, topic, { maxInWork: 3 })
  await scope.deliver(link, scope.messages(topic, 6))
  const inWork = await reader.take(3, false)
  await reader.silence('three are in work, and that is the limit')
  for (const delivery of inWork) delivery.ack()
  await reader.take(3)
}

async function anyOrder(scope: Scope): Promise<void> {
  const topic = await scope.topic('any-order')
  const link = await scope.dial()
  const reader = await scope.read(link, topic, { maxInWork: 4 })
  await scope.deliver(link, scope.messages(topic, 12))
  for (let round = 0; round < 3; round += 1) {
    for (const delivery of (await reader.take(4, false)).toReversed()) delivery.ack()
  }
  await reader.silence('every message was finished')
}

async function nackBringsAgain(scope: Scope): Promise<void> {
  const topic = await scope.topic('nack')
  const link = await scope.dial()
  const reader = await scope.read(link, topic)
  const delayMs = 40
  await scope.deliver(link, scope.messages(topic, 1))
  const first = await reader.next()
  assert.equal(first.redelivered, false, 'the first delivery is marked as redelivered')
  const start = performance.now()
  first.nack(delayMs)
  const again = await reader.next('the delivery that was given back')
  const waitedMs = performance.now() - start
  // timers may fire up to a millisecond early
  assert.ok(waitedMs >= delayMs - 2, `it came again after ${waitedMs} ms, and not after ${delayMs} ms`)
  assert.equal(textOf(again.payload), '0')
  assert.equal(again.redelivered, true, 'it is not marked as redelivered')
  assert.deepEqual(again.position, first.position, 'it has another position')
  again.nack()
  const third = await reader.next('the delivery that was given back again')
  third.ack()
  await reader.silence('it was acknowledged in the end')
}

async function nackHoldsUpNobody(scope: Scope): Promise<void> {
  const topic = await scope.topic('nack-others')
  const link = await scope.dial()
  const reader = await scope.read(link, topic, { maxInWork: 3 })
  await scope.deliver(link, scope.messages(topic, 1))
  const back = await reader.next()
  back.nack(scope.waitMs * 2)
  await scope.deliver(link, scope.messages(topic, 5))
  await checkNumbers(reader, 5)
}

async function firstWordCounts(scope: Scope): Promise<void> {
  const topic = await scope.topic('word')
  const link = await scope.dial()
  const reader = await scope.read(link, topic)
  await scope.deliver(link, scope.messages(topic, 2))
  const [one, two] = await reader.take(2, false)
  assert.ok(one !== undefined && two !== undefined)
  one.ack()
  one.ack()
  one.nack()
  two.nack()
  two.nack()
  two.ack()
  const again = await reader.next('the delivery that was given back')
  assert.equal(textOf(again.payload), '1')
  again.ack()
  await reader.silence('everything was finished')
}

/** A subscription that nobody reads, with more messages than it may hold, beside one that is read. */
async function beside(scope: Scope, link: Link): Promise<Reader> {
  const topic = await scope.topic('unread')
  await scope.read(link, topic, { maxInWork: 5 })
  const reader = await scope.read(link, topic)
  await scope.deliver(link, scope.messages(topic, 40))
  return reader
}

async function idleReader(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const reader = await beside(scope, link)
  await checkNumbers(reader, 40)
  const topic = await scope.topic('beside')
  const other = await scope.read(link, topic)
  await scope.deliver(link, scope.messages(topic, 10))
  await checkNumbers(other, 10)
}

async function idleReaderLives(scope: Scope): Promise<void> {
  const link = await scope.dial()
  await beside(scope, link)
  const ended = await settles((scope.harness.promises.keepAliveMs ?? 0) * 2.5, link.lost)
  assert.ok(!ended, 'the link ended, though only a reader was idle')
  await scope.works(link)
}

async function leavingEnds(scope: Scope): Promise<void> {
  const topic = await scope.topic('leave')
  const link = await scope.dial()
  const leaving = await scope.read(link, topic)
  const staying = await scope.read(link, topic)
  await scope.deliver(link, scope.messages(topic, 3))
  await checkNumbers(leaving, 3)
  await checkNumbers(staying, 3)
  await leaving.leave()
  const ended = await scope.within('the end of a stream that was left', leaving.stream.next())
  assert.equal(ended.done, true, 'a stream that was left goes on')
  await scope.deliver(link, scope.messages(topic, 3))
  await checkNumbers(staying, 3)
  const after = await scope.within('the end of a stream that was left', leaving.stream.next())
  assert.equal(after.done, true, 'a stream that was left brings more')
  await staying.leave()
  const again = await scope.read(link, topic)
  await scope.deliver(link, scope.messages(topic, 3))
  await checkNumbers(again, 3)
}

async function abortEndsStream(scope: Scope): Promise<void> {
  const topic = await scope.topic('abort-stream')
  const link = await scope.dial()
  const abort = new AbortController()
  const reader = await scope.read(link, topic, {}, abort.signal)
  await scope.deliver(link, scope.messages(topic, 2))
  await checkNumbers(reader, 2)
  const waiting = reader.end()
  abort.abort()
  assert.deepEqual(await waiting, [])
  await scope.deliver(link, scope.messages(topic, 2))
  assert.deepEqual(await reader.end(), [], 'an aborted stream brings more')
}

async function abortSubscribe(scope: Scope): Promise<void> {
  const topic = await scope.topic('abort-subscribe')
  const link = await scope.dial()
  const options = { group: undefined, maxInWork: 10 }
  const early = await scope.rejects(
    'an aborted subscribe()',
    link.subscribe([topic], options, AbortSignal.abort()),
  )
  assert.equal(early.code, 'ABORTED')
  const abort = new AbortController()
  const asked = link.subscribe([topic], options, abort.signal)
  abort.abort()
  assert.equal((await scope.rejects('an aborted subscribe()', asked)).code, 'ABORTED')
  const reader = await scope.read(link, topic)
  await scope.deliver(link, scope.messages(topic, 3))
  await checkNumbers(reader, 3)
}

async function abortSubscribeInSilence(scope: Scope): Promise<void> {
  const link = await scope.dial()
  await scope.works(link)
  const topic = await scope.topic('abort-subscribe')
  await scope.fault('freeze')(true)
  const abort = new AbortController()
  const asked = link.subscribe([topic], { group: undefined, maxInWork: 10 }, abort.signal)
  setTimeout(() => abort.abort(), 5)
  const error = await scope.rejects('an aborted subscribe()', asked)
  await scope.fault('freeze')(false)
  assert.equal(error.code, 'ABORTED')
}

async function streamsEnd(scope: Scope): Promise<void> {
  const topic = await scope.topic('stream-end')
  const link = await scope.dial()
  const readers = [await scope.read(link, topic), await scope.read(link, topic)]
  const waiting = readers.map((reader) => reader.end())
  await scope.close(link)
  for (const rest of await Promise.all(waiting)) assert.deepEqual(rest, [])
}
