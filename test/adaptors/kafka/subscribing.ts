import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Deliveries } from '../../../src/contract/index.ts'
import type { KafkaBroker } from '../../brokers/index.ts'
import type { KafkaDriver } from './support.ts'
import { dialAs, message, publish, subscribe, take, text } from './support.ts'

const QUICK = { heartbeatIntervalMs: 100, commitIntervalMs: 10, metadataRefreshMs: 200 }

/** What subscribing owes beyond the conformance suite, at a real broker. */
export function subscribingTests(started: () => KafkaBroker, driver: KafkaDriver = 'javascript'): void {
  const dial = dialAs(driver)
  const plain = (options: Readonly<Record<string, unknown>> = {}) =>
    dial(started().url('plain'), { options: { ...QUICK, ...options } })
  const send = async (topic: string, from: number, count: number) => {
    const link = await plain()
    const batch = Array.from({ length: count }, (_, index) =>
      message(topic, String(from + index), { key: `k${index}` }),
    )
    const outcomes = await publish(link, batch)
    assert.ok(outcomes.every(({ kind }) => kind === 'delivered'))
    await link.close()
  }
  const count = (length: number, from = 0) => Array.from({ length }, (_, index) => from + index)

  /** Reads everything that comes into a list. */
  function gather(stream: Deliveries, into: number[]): void {
    const loop = async () => {
      for await (const delivery of stream) {
        into.push(Number(text(delivery)))
        delivery.ack()
      }
    }
    loop().catch((error: unknown) => assert.fail(String(error)))
  }
  const until = async (what: string, holds: () => boolean) => {
    for (let tries = 0; !holds(); tries += 1) {
      assert.ok(tries < 1500, `${what} did not happen`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  test('a group loses and doubles nothing while members come and go', async () => {
    await started().admin.createTopic('s.group', { partitions: 6 })
    const got: number[] = []
    const first = await plain()
    gather(await subscribe(first, ['s.group'], 'g.change'), got)
    await send('s.group', 0, 100)
    await until('the first hundred', () => got.length === 100)
    const second = await plain()
    gather(await subscribe(second, ['s.group'], 'g.change'), got)
    await send('s.group', 100, 100)
    const third = await plain()
    gather(await subscribe(third, ['s.group'], 'g.change'), got)
    await send('s.group', 200, 100)
    await until('the third hundred', () => got.length >= 300)
    await second.close()
    await send('s.group', 300, 100)
    await until('the fourth hundred', () => got.length >= 400)
    assert.deepEqual(
      got.toSorted((one, two) => one - two),
      count(400),
    )
    await Promise.all([first.close(), third.close()])
  })

  test('members of a group share out the partitions', async () => {
    await started().admin.createTopic('s.share', { partitions: 4 })
    const lists: number[][] = [[], []]
    const links = [await plain(), await plain()]
    for (const [index, link] of links.entries()) {
      gather(await subscribe(link, ['s.share'], 'g.share'), lists[index] ?? [])
    }
    await send('s.share', 0, 200)
    await until('all of it', () => lists.flat().length === 200)
    for (const list of lists) assert.ok(list.length > 20, `a member got only ${list.length} of 200`)
    await Promise.all(links.map((link) => link.close()))
  })

  test('a group begins where `start` says, and goes on where it was', async () => {
    await started().admin.createTopic('s.start')
    await send('s.start', 0, 5)
    const early = await plain({ start: 'earliest' })
    const from = await subscribe(early, ['s.start'], 'g.early')
    assert.deepEqual(
      (await take(from, 3)).map((one) => Number(text(one))),
      [0, 1, 2],
    )
    await early.close()
    const late = await plain()
    const behind = await subscribe(late, ['s.start'], 'g.late')
    await send('s.start', 5, 2)
    assert.deepEqual(
      (await take(behind, 2)).map((one) => Number(text(one))),
      [5, 6],
    )
    await late.close()
    // nobody was there, and it waited: also for the group that was not at its end
    await send('s.start', 7, 1)
    const again = await plain()
    const rest = await subscribe(again, ['s.start'], 'g.early')
    assert.deepEqual(
      (await take(rest, 5)).map((one) => Number(text(one))),
      [3, 4, 5, 6, 7],
    )
    const last = await subscribe(again, ['s.start'], 'g.late')
    assert.deepEqual(
      (await take(last, 1)).map((one) => Number(text(one))),
      [7],
    )
    await again.close()
  })

  test('a group whose members never took anything keeps what came after they had subscribed', async () => {
    await started().admin.createTopic('s.idle')
    await send('s.idle', 0, 3)
    const first = await plain()
    await subscribe(first, ['s.idle'], 'g.idle')
    await first.close()
    await send('s.idle', 3, 2)
    const second = await plain()
    const stream = await subscribe(second, ['s.idle'], 'g.idle')
    assert.deepEqual(
      (await take(stream, 2)).map((one) => Number(text(one))),
      [3, 4],
    )
    await second.close()
  })

  for (const group of [undefined, 'g.pattern']) {
    test(`a pattern finds topics that come later, from their first message (${group ?? 'no group'})`, async () => {
      const root = `s.pattern-${group ?? 'none'}`
      await started().admin.createTopic(`${root}.a`)
      const link = await plain()
      const stream = await subscribe(link, [`^${root.replaceAll('.', '\\.')}\\..+$`], group)
      await send(`${root}.a`, 0, 1)
      assert.equal(text((await take(stream, 1))[0] ?? assert.fail()), '0')
      await started().admin.createTopic(`${root}.b`)
      await send(`${root}.b`, 1, 2)
      const later = await take(stream, 2)
      assert.deepEqual(
        later.map((one) => [one.topic, text(one)]),
        [
          [`${root}.b`, '1'],
          [`${root}.b`, '2'],
        ],
      )
      await link.close()
    })

    test(`a topic that is not there yet is waited for (${group ?? 'no group'})`, async () => {
      const topic = `s.later-${group ?? 'none'}`
      const link = await plain()
      const stream = await subscribe(link, [topic], group)
      await started().admin.createTopic(topic)
      await send(topic, 0, 3)
      assert.deepEqual(
        (await take(stream, 3)).map((one) => Number(text(one))),
        [0, 1, 2],
      )
      await link.close()
    })

    test(`partitions that come later are read from their first message (${group ?? 'no group'})`, async () => {
      const { admin } = started()
      const topic = `s.grow-${group ?? 'none'}`
      await admin.createTopic(topic)
      const link = await plain()
      const got: number[] = []
      gather(await subscribe(link, [topic], group), got)
      await admin.addPartitions(topic, 5)
      await send(topic, 0, 100)
      await until('all of it', () => got.length >= 100)
      assert.deepEqual(
        got.toSorted((one, two) => one - two),
        count(100),
      )
      await link.close()
    })
  }

  test('an offset that is not there any more leads to the first one that is', async () => {
    const { admin } = started()
    await admin.createTopic('s.gone')
    await send('s.gone', 0, 10)
    const first = await plain({ start: 'earliest' })
    await take(await subscribe(first, ['s.gone'], 'g.gone'), 3)
    await first.close()
    await admin.deleteRecords('s.gone', 7)
    const second = await plain()
    const stream = await subscribe(second, ['s.gone'], 'g.gone')
    assert.deepEqual(
      (await take(stream, 3)).map((one) => Number(text(one))),
      [7, 8, 9],
    )
    await second.close()
  })

  test('messages of a transaction that was given up are left out', async () => {
    const { admin } = started()
    await admin.createTopic('s.transaction')
    const link = await plain()
    const stream = await subscribe(link, ['s.transaction'])
    await admin.transaction('s.transaction', ['1', '2'], 'commit')
    await admin.transaction('s.transaction', ['3', '4'], 'abort')
    await admin.transaction('s.transaction', ['5'], 'commit')
    assert.deepEqual((await take(stream, 3)).map(text), ['1', '2', '5'])
    await link.close()
    const open = await plain({ isolation: 'read_uncommitted', start: 'earliest' })
    const all = await subscribe(open, ['s.transaction'], 'g.uncommitted')
    assert.deepEqual((await take(all, 5)).map(text), ['1', '2', '3', '4', '5'])
    await open.close()
  })

  test('a group name that the client may not use rejects with NOT_AUTHORIZED, and the link lives', async () => {
    const { admin } = started()
    await admin.createTopic('s.denied')
    await admin.allow('ann', 'read topic s.denied', 'write topic s.denied')
    const link = await dial(started().url('saslPlain'), { auth: { user: 'ann', password: 'secret' } })
    await assert.rejects(subscribe(link, ['s.denied'], 'g.denied'), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'NOT_AUTHORIZED')
      assert.match(error.message, /group "g\.denied"/)
      return true
    })
    assert.equal((await publish(link, [message('s.denied', 'x')]))[0]?.kind, 'delivered')
    await link.close()
  })
}
