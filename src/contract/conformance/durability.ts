import assert from 'node:assert/strict'

import type { DialRequest, Link } from '../adaptor.ts'
import type { Delivery } from '../delivery.ts'
import type { Behaviour } from './behaviour.ts'
import { behaviour, can, durable, given } from './behaviour.ts'
import type { Reader } from './reader.ts'
import type { Scope } from './scope.ts'
import { textOf } from './scope.ts'

/** What subscriptions that outlive a link owe. */
export const DURABILITY: readonly Behaviour[] = [
  behaviour('a durable subscription keeps messages while its client is away', [durable('subscribes')], keeps),
  behaviour(
    'what was not acknowledged comes again on the next link',
    [durable('subscribes', 'redelivers')],
    comesAgain,
  ),
  behaviour(
    'what was acknowledged does not come again, in whatever order it was',
    [durable('subscribes', 'redelivers')],
    acknowledgedIsDone,
  ),
  behaviour(
    'acknowledging a later message does not acknowledge an earlier one',
    [durable('subscribes', 'redelivers')],
    earlierComesAgain,
  ),
  behaviour(
    'what was given back comes again on the next link when the link ends first',
    [durable('subscribes', 'redelivers')],
    givenBackComesAgain,
  ),
  behaviour(
    'another member of the group gets what a lost member had in work',
    [
      can('subscribes', 'groups', 'redelivers', 'durableSubscriptions'),
      given('here a group does not outlive its members', ({ harness }) => {
        return harness.promises.durableBy === 'group'
      }),
    ],
    otherMemberTakesOver,
  ),
]

/** A subscription that outlives its links, on whatever it hangs here. */
export class DurableReader {
  /** Where it listens. */
  readonly topic: string
  readonly #scope: Scope
  readonly #client: DialRequest<unknown>
  readonly #group: string | undefined

  private constructor(scope: Scope, client: DialRequest<unknown>, topic: string, group: string | undefined) {
    this.#scope = scope
    this.#client = client
    this.topic = topic
    this.#group = group
  }

  /** Chooses client, topic and group. Nothing is dialled yet. */
  static async of(scope: Scope, label: string): Promise<DurableReader> {
    const { harness } = scope
    const client = await harness.client('durable')
    const group = harness.promises.durableBy === 'group' ? harness.group(label) : undefined
    return new DurableReader(scope, client, await scope.topic(label), group)
  }

  /** The client dials, and subscribes again. */
  async come(maxInWork = 100): Promise<{ readonly link: Link; readonly reader: Reader }> {
    const link = await this.#scope.dial(this.#client)
    return { link, reader: await this.#scope.read(link, this.topic, { group: this.#group, maxInWork }) }
  }
}

async function keeps(scope: Scope): Promise<void> {
  const subscription = await DurableReader.of(scope, 'durable')
  const first = await subscription.come()
  const publisher = await scope.dial()
  await scope.deliver(publisher, scope.messages(subscription.topic, 2))
  await first.reader.take(2)
  await scope.close(first.link)
  const { messages } = scope.intensity
  await scope.deliver(publisher, scope.messages(subscription.topic, messages))
  const second = await subscription.come()
  assert.deepEqual(
    await numbers(second.reader, messages),
    Array.from({ length: messages }, (_, n) => n),
  )
}

async function numbers(reader: Reader, count: number): Promise<number[]> {
  return (await reader.take(count)).map(numberOf)
}

function numberOf({ payload }: Delivery): number {
  return Number(textOf(payload))
}

async function comesAgain(scope: Scope): Promise<void> {
  const subscription = await DurableReader.of(scope, 'again')
  const first = await subscription.come()
  const publisher = await scope.dial()
  await scope.deliver(publisher, scope.messages(subscription.topic, 5))
  const inWork = await first.reader.take(5, false)
  await scope.close(first.link)
  const second = await subscription.come()
  const again = await second.reader.take(5)
  assert.deepEqual(again.map(numberOf), [0, 1, 2, 3, 4])
  for (const [index, { position, redelivered }] of again.entries()) {
    assert.deepEqual(position, inWork[index]?.position, 'it has another position')
    const isToldApart =
      position === undefined || position.unique || redelivered || scope.harness.promises.repeatsUnmarked
    assert.ok(isToldApart, 'its position is not unique, and it is not marked as redelivered')
  }
  for (const delivery of inWork) delivery.ack()
  await second.reader.silence('everything was acknowledged')
}

async function acknowledgedIsDone(scope: Scope): Promise<void> {
  const subscription = await DurableReader.of(scope, 'done')
  const first = await subscription.come()
  const publisher = await scope.dial()
  await scope.deliver(publisher, scope.messages(subscription.topic, 5))
  const inWork = await first.reader.take(5, false)
  for (const index of [3, 1, 0, 4, 2]) inWork[index]?.ack()
  // close() writes finished acknowledgements
  await scope.close(first.link)
  const second = await subscription.come()
  await second.reader.silence('everything was acknowledged')
}

async function earlierComesAgain(scope: Scope): Promise<void> {
  const subscription = await DurableReader.of(scope, 'earlier')
  const first = await subscription.come()
  const publisher = await scope.dial()
  await scope.deliver(publisher, scope.messages(subscription.topic, 4))
  const inWork = await first.reader.take(4, false)
  for (const index of [1, 3]) inWork[index]?.ack()
  await scope.close(first.link)
  const second = await subscription.come()
  // a broker that confirms in order has got the finished prefix only: 1 and 3 may come again too
  const seen: number[] = []
  await second.reader.until('the messages that nobody acknowledged', (delivery) => {
    seen.push(Number(textOf(delivery.payload)))
    delivery.ack()
    return seen.includes(0) && seen.includes(2)
  })
  assert.deepEqual(
    seen,
    seen.toSorted((one, two) => one - two),
  )
}

async function givenBackComesAgain(scope: Scope): Promise<void> {
  const subscription = await DurableReader.of(scope, 'given-back')
  const first = await subscription.come()
  const publisher = await scope.dial()
  await scope.deliver(publisher, scope.messages(subscription.topic, 1))
  const delivery = await first.reader.next()
  delivery.nack(1)
  await scope.close(first.link)
  const second = await subscription.come()
  assert.deepEqual(await numbers(second.reader, 1), [0])
}

async function otherMemberTakesOver(scope: Scope): Promise<void> {
  const topic = await scope.topic('take-over')
  const group = scope.harness.group('take-over')
  const first = await scope.dial()
  const reader = await scope.read(first, topic, { group })
  const publisher = await scope.dial()
  await scope.deliver(publisher, scope.messages(topic, 3))
  await reader.take(3, false)
  await scope.close(first)
  const second = await scope.read(await scope.dial(), topic, { group })
  assert.deepEqual(await numbers(second, 3), [0, 1, 2])
}
