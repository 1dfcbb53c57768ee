import assert from 'node:assert/strict'

import type { Link } from '../adaptor.ts'
import type { Behaviour } from './behaviour.ts'
import { behaviour, can, faults, given } from './behaviour.ts'
import type { Scope } from './scope.ts'
import { neverAborted } from './scope.ts'
import { checkDelivered, wordOf } from './settlements.ts'
import { pause, settles, until } from './waiting.ts'

/** What `dial()`, `lost` and `close()` owe. */
export const ENDING: readonly Behaviour[] = [
  behaviour('aborting dial() rejects with ABORTED', [], abortDial),
  behaviour('aborting dial() works while the broker is silent', [faults('freeze')], abortDialInSilence),
  behaviour('two links of one client leave each other alone', [can('parallelLinks')], parallelLinks),
  behaviour('close() may be called twice, and at once', [], closeTwice),
  behaviour('close() waits until what was published is settled', [], closeFlushes),
  behaviour('close() works with a reader that does not read', [can('subscribes')], closeUnread),
  behaviour(
    'close() works while the broker is silent, and fails what is unsettled',
    [faults('freeze')],
    closeInSilence,
  ),
  behaviour('lost settles with CLOSED after close()', [], lostAfterClose),
  behaviour('lost settles when the line is cut, and everything ends with it', [faults('cut')], lostAfterCut),
  behaviour('publishing on a link that has ended fails everything, once', [], publishAfterEnd),
  behaviour('subscribing on a link that has ended rejects', [], subscribeAfterEnd),
  behaviour('ack() and nack() on a dead link do nothing', [can('subscribes')], deadWords),
  behaviour('40 dials and closes at once come to an end', [], manyAtOnce),
  behaviour('no timer is left after close()', [], noTimers),
  behaviour(
    'no socket is left after close(), an aborted dial and a loss',
    [given('the harness does not count sockets', ({ harness }) => harness.openSockets !== undefined)],
    noSockets,
  ),
]

async function abortDial(scope: Scope): Promise<void> {
  const { adaptor } = scope.harness
  const client = await scope.harness.client('plain')
  const early = await scope.rejects('an aborted dial', adaptor.dial(client, AbortSignal.abort()))
  assert.equal(early.code, 'ABORTED')
  const abort = new AbortController()
  const asked = adaptor.dial(client, abort.signal)
  abort.abort()
  assert.equal((await scope.rejects('an aborted dial', asked)).code, 'ABORTED')
  await scope.works(await scope.dial(client))
}

async function abortDialInSilence(scope: Scope): Promise<void> {
  const client = await scope.harness.client('plain')
  await scope.fault('freeze')(true)
  const abort = new AbortController()
  const asked = scope.harness.adaptor.dial(client, abort.signal)
  setTimeout(() => abort.abort(), 20)
  const error = await scope.rejects('an aborted dial', asked)
  await scope.fault('freeze')(false)
  assert.equal(error.code, 'ABORTED')
}

async function parallelLinks(scope: Scope): Promise<void> {
  const client = await scope.harness.client('plain')
  const first = await scope.dial(client)
  const second = await scope.dial(client)
  await scope.works(first)
  await scope.works(second)
  await scope.close(second)
  await scope.works(first)
}

async function closeTwice(scope: Scope): Promise<void> {
  const link = await scope.dial()
  await Promise.all([scope.close(link), scope.close(link)])
  await scope.close(link)
}

async function closeFlushes(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const topic = await scope.topic('flush')
  const batches = [0, 1, 2].map(() => scope.send(link, scope.messages(topic, 10)))
  await scope.close(link)
  for (const batch of batches) {
    assert.equal(batch.unsettled, 0, `${batch.unsettled} messages are unsettled after close()`)
    checkDelivered(await batch.all(scope.waitMs))
  }
}

async function closeUnread(scope: Scope): Promise<void> {
  const topic = await scope.topic('unread')
  const link = await scope.dial()
  await scope.subscribe(link, topic, { maxInWork: 5 })
  await scope.deliver(link, scope.messages(topic, 20))
  await scope.close(link)
}

async function closeInSilence(scope: Scope): Promise<void> {
  const link = await scope.dial()
  await scope.works(link)
  await scope.fault('freeze')(true)
  const batch = scope.send(link, scope.messages(await scope.topic('silent'), 5))
  await scope.close(link)
  const words = (await batch.all(scope.waitMs)).map(wordOf)
  await scope.fault('freeze')(false)
  assert.deepEqual(words, ['failed', 'failed', 'failed', 'failed', 'failed'])
  batch.checkOnce()
}

async function lostAfterClose(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const early = await settles(20, link.lost)
  assert.ok(!early, 'lost settled while the link was up')
  await scope.close(link)
  assert.equal((await scope.lost(link)).code, 'CLOSED')
}

async function lostAfterCut(scope: Scope): Promise<void> {
  const link = await scope.dial()
  const topic = await scope.topic('cut')
  const reader = scope.capabilities.subscribes ? await scope.read(link, topic) : undefined
  const ended = reader?.end()
  const batch = scope.send(link, scope.messages(topic, scope.intensity.messages))
  await scope.fault('cut')()
  const reason = await scope.lost(link)
  assert.notEqual(reason.code, 'CLOSED')
  assert.equal(reason.retryable, true, `a cut line is ${reason.code}, which cannot be tried again`)
  await batch.all(scope.waitMs)
  await pause(0)
  batch.checkOnce()
  await ended
  await scope.close(link)
  assert.equal(await link.lost, reason, 'lost has changed its mind')
}

async function publishAfterEnd(scope: Scope): Promise<void> {
  for (const end of endings(scope)) {
    const link = await scope.dial()
    await end(link)
    const batch = scope.send(link, scope.messages(await scope.topic('ended'), 4))
    assert.deepEqual((await batch.all(scope.waitMs)).map(wordOf), ['failed', 'failed', 'failed', 'failed'])
    await pause(0)
    batch.checkOnce()
  }
}

/** Ways for a link to end: closed, and cut where the harness can do it. */
function endings(scope: Scope): ((link: Link) => Promise<unknown>)[] {
  const close = (link: Link) => scope.close(link)
  const cut = async (link: Link) => {
    await scope.fault('cut')()
    await scope.lost(link)
  }
  return scope.harness.faults?.cut === undefined ? [close] : [close, cut]
}

async function subscribeAfterEnd(scope: Scope): Promise<void> {
  for (const end of endings(scope)) {
    const link = await scope.dial()
    await end(link)
    const asked = link.subscribe(
      [await scope.topic('ended')],
      { group: undefined, maxInWork: 1 },
      neverAborted(),
    )
    await scope.rejects('subscribing on a link that has ended', asked)
  }
}

async function deadWords(scope: Scope): Promise<void> {
  for (const end of endings(scope)) {
    const topic = await scope.topic('dead')
    const link = await scope.dial()
    const reader = await scope.read(link, topic)
    await scope.deliver(link, scope.messages(topic, 3))
    const [one, two, three] = await reader.take(3, false)
    await end(link)
    one?.ack()
    two?.nack()
    three?.nack(10)
    await reader.end()
  }
  await scope.works(await scope.dial())
}

async function manyAtOnce(scope: Scope): Promise<void> {
  const { harness } = scope
  const work = async (index: number) => {
    const client = await harness.client('plain')
    const abort = new AbortController()
    const asked = harness.adaptor.dial(client, abort.signal)
    if (index % 4 === 3) {
      abort.abort()
      await asked.then((link) => scope.track(link)).catch((error: unknown) => scope.check(error))
      return
    }
    const link = scope.track(await asked)
    if (index % 4 === 1) scope.send(link, scope.messages(await scope.topic('many'), 3))
    await scope.close(link)
  }
  await scope.within(
    'the end of 40 dials',
    Promise.all(Array.from({ length: 40 }, (_, index) => work(index))),
  )
  await scope.works(await scope.dial())
}

/** How many timers keep this process alive. */
async function timers(): Promise<number> {
  // one that has just fired counts until the turn after
  await new Promise((resolve) => setImmediate(resolve))
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}

/** Uses a link in all ways that may leave something behind. */
async function useLink(scope: Scope, link: Link): Promise<void> {
  const topic = await scope.topic('left')
  await scope.deliver(link, scope.messages(topic, 2))
  if (!scope.capabilities.subscribes) return
  const reader = await scope.read(link, topic)
  await scope.deliver(link, scope.messages(topic, 3))
  const [one, two] = await reader.take(2, false)
  one?.ack()
  two?.nack(scope.waitMs * 10)
}

async function noTimers(scope: Scope): Promise<void> {
  const before = await timers()
  for (let round = 0; round < 3; round += 1) {
    const link = await scope.dial()
    await useLink(scope, link)
    await scope.close(link)
  }
  const abort = new AbortController()
  const asked = scope.harness.adaptor.dial(await scope.harness.client('plain'), abort.signal)
  abort.abort()
  await scope.rejects('an aborted dial', asked)
  await until(scope.waitMs, 'the end of every timer', async () => (await timers()) <= before)
}

async function noSockets(scope: Scope): Promise<void> {
  const count = async () => (await scope.harness.openSockets?.()) ?? 0
  await until(scope.waitMs, 'the end of the sockets of others', async () => (await count()) === 0)
  const link = await scope.dial()
  assert.ok((await count()) > 0, 'an open link is no socket: the harness counts something else')
  await useLink(scope, link)
  await scope.close(link)
  // the cut comes first: it would hide what the dials below leave behind
  if (scope.harness.faults?.cut !== undefined) {
    const cut = await scope.dial()
    await scope.fault('cut')()
    await scope.lost(cut)
  }
  const client = await scope.harness.client('plain')
  const abort = new AbortController()
  const asked = scope.harness.adaptor.dial(client, abort.signal)
  abort.abort()
  await scope.rejects('an aborted dial', asked)
  if (scope.harness.stranger !== undefined) {
    await scope.rejects(
      'the dial of a stranger',
      scope.harness.adaptor.dial(await scope.harness.stranger(), neverAborted()),
    )
  }
  await until(scope.waitMs, 'the end of every socket', async () => (await count()) === 0)
}
