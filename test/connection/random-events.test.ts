import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { ErrorCode } from '../../src/contract/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import type { ReceivedDelivery, Subscription } from '../../src/connection/index.ts'
import type { ScriptedDelivery } from './scripted-adaptor.ts'
import { scripted, settled } from './scripted-adaptor.ts'

const fault = (code: ErrorCode) => new BackhaulError(code, 'Cannot go on: the test says so')
const codes = fc.constantFrom<ErrorCode>('UNREACHABLE', 'BAD_CREDENTIALS', 'LINK_LOST', 'NOT_AUTHORIZED')
const small = fc.nat({ max: 3 })

/** What may happen to a connection from outside, in any order. */
const event = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('retry' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('accept' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), code: codes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), code: codes }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 250, 10_000, 60_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('subscribe' as const),
      topic: fc.constantFrom('a', 'b'),
      maxInWork: fc.constantFrom(1, 3),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('grant' as const), which: small }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), which: small, code: codes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), which: small }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('deliver' as const),
      which: small,
      id: fc.constantFrom('1', '2', undefined),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ack' as const), which: small }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('nack' as const), which: small }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const), which: small }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), which: small }) },
)
const sequence = fc.array(event, { maxLength: 80, size: 'max' })
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never

/** A connection with readers that take all there is, and the test's hand on everything. */
class World {
  readonly parts = scripted()
  readonly subscriptions: Subscription[] = []
  readonly inHand: ReceivedDelivery[] = []
  readonly sent: ScriptedDelivery[] = []
  readonly loops: Promise<void>[] = []
  asked = 0

  async happen(what: Event): Promise<void> {
    const { adaptor, connection, clock } = this.parts
    const dial = adaptor.dials.at(-1)
    const stream = 'which' in what ? dial?.link?.asked[what.which] : undefined
    if (what.kind === 'retry') connection.retryNow()
    else if (what.kind === 'pass') clock.advance(what.ms)
    else if (what.kind === 'accept' && dial?.open === true) {
      dial.accept().grants = false
    } else if (what.kind === 'fail') dial?.fail(fault(what.code))
    else if (what.kind === 'lose') dial?.link?.lose(fault(what.code))
    else if (what.kind === 'subscribe') this.#subscribe(what.topic, what.maxInWork)
    else if (what.kind === 'grant') stream?.grant()
    else if (what.kind === 'refuse') stream?.refuse(fault(what.code))
    else if (what.kind === 'end') stream?.end()
    else if (what.kind === 'deliver' && stream !== undefined) this.sent.push(stream.deliver(what.id))
    else if (what.kind === 'ack') this.inHand.at(-1 - what.which)?.ack()
    else if (what.kind === 'nack') this.inHand.at(-1 - what.which)?.nack(250)
    else if (what.kind === 'stop') this.subscriptions[what.which]?.stop()
    else if (what.kind === 'leave') void this.subscriptions[what.which]?.unsubscribe()
    await settled()
  }

  #subscribe(topic: string, maxInWork: number): void {
    this.asked += 1
    this.loops.push(
      this.parts.connection.subscribe([topic], { maxInWork, maxDeliveries: 2 }).then(
        async (subscription) => {
          this.subscriptions.push(subscription)
          try {
            for await (const delivery of subscription) this.inHand.push(delivery)
          } catch (error) {
            assert.ok(error instanceof BackhaulError)
          }
        },
        (error: unknown) => assert.ok(error instanceof BackhaulError),
      ),
    )
  }

  /** What has to hold whenever nothing can happen without time or the outside. */
  check(): void {
    const { adaptor, connection, clock } = this.parts
    const { current } = connection
    const dial = adaptor.dials.at(-1)
    assert.notEqual(current.state, 'lost', 'lost is only passed through')
    if (current.state === 'connecting') {
      assert.equal(dial?.open, true, 'a dial is under way')
      assert.ok(clock.timers >= 1, 'and its time is limited')
    }
    if (current.state === 'waiting' || current.state === 'refused') {
      assert.ok(clock.timers >= 1, 'something will end the pause')
      assert.ok(current.nextTryAtMs - clock.now() <= 60_000)
    }
    if (current.state === 'connected') assert.equal(dial?.link?.closes, 0)
    for (const { words } of this.sent)
      assert.ok(words.length <= 1, `the broker is told once: ${words.join()}`)
  }
}

test('any sequence of events leaves no stuck state, and close() always ends everything', async () => {
  await fc.assert(
    fc.asyncProperty(sequence, async (events) => {
      const world = new World()
      const { connection, clock, adaptor } = world.parts
      connection.open()
      for (const what of events) {
        await world.happen(what)
        world.check()
      }
      const closed = connection.close()
      assert.equal(connection.current.state, 'closed')
      await closed
      await Promise.all(world.loops)
      assert.equal(clock.timers, 0)
      for (const { link } of adaptor.dials) if (link !== undefined) assert.ok((await link.lost) !== undefined)
    }),
    { numRuns: 300 },
  )
})

test('after any sequence of events a broker that is well again is connected and subscribed within a dial and a pause', async () => {
  await fc.assert(
    fc.asyncProperty(sequence, async (events) => {
      const world = new World()
      const { connection, clock, adaptor } = world.parts
      connection.open()
      for (const what of events) await world.happen(what)
      for (const subscription of world.subscriptions) await subscription.unsubscribe()
      for (const stream of adaptor.dials.at(-1)?.link?.asked ?? []) stream.grant()
      adaptor.answer = () => undefined
      await settled()
      for (let second = 0; second < 71; second += 1) {
        clock.advance(1000)
        await settled()
      }
      assert.equal(connection.current.state, 'connected')
      adaptor.link.grants = true
      const subscription = await connection.subscribe(['c'])
      const sent = adaptor.link.stream.deliver('9')
      const { value } = await subscription.next()
      value?.ack()
      assert.deepEqual(sent.words, ['ack'])
      await connection.close()
      await Promise.all(world.loops)
      assert.equal(clock.timers, 0)
    }),
    { numRuns: 200 },
  )
})
