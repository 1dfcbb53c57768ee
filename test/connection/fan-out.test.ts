import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { ReceivedDelivery, Subscription } from '../../src/connection/index.ts'
import type { ScriptedDelivery } from './scripted-adaptor.ts'
import { linked, settled } from './scripted-adaptor.ts'

type Parts = Awaited<ReturnType<typeof linked>>

/** One subscriber, and what it has in hand. */
interface Reader {
  readonly subscription: Subscription
  readonly inHand: Map<string, ReceivedDelivery>
}

/** A broker as brokers are (it delivers until it is acknowledged: after a nack, and on each new link), and readers. */
class World {
  readonly readers: Reader[] = []
  /** Ids of what some reader was done with. */
  readonly done = new Set<string>()
  readonly #parts: Parts
  readonly #last = new Map<string, ScriptedDelivery>()
  readonly #delivered: ScriptedDelivery[] = []
  #published = 0

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async join(): Promise<void> {
    const subscription = await this.#parts.connection.subscribe(['a'], {
      maxInWork: 3,
      maxDeliveries: 3,
      redeliveryDelayMs: 10,
      onGaveUp: ({ id = '' }) => void this.done.add(id),
    })
    const inHand = new Map<string, ReceivedDelivery>()
    this.readers.push({ subscription, inHand })
    void this.#read(subscription, inHand)
  }

  async happen(what: string, which: number): Promise<void> {
    const reader = this.readers[which % this.readers.length]
    const [id, delivery] = [...(reader?.inHand ?? [])][0] ?? []
    if (what === 'publish') this.#deliver(`${(this.#published += 1)}`)
    if (what === 'join') await this.join()
    if (what === 'relink') await this.#relink()
    if (what === 'wait') this.#parts.clock.advance(10)
    if (what === 'leave' && reader !== undefined && this.readers.length > 1) {
      this.readers.splice(this.readers.indexOf(reader), 1)
      await reader.subscription.unsubscribe()
    }
    if (id !== undefined && (what === 'ack' || what === 'nack')) {
      reader?.inHand.delete(id)
      delivery?.[what]()
      if (what === 'ack') this.done.add(id)
    }
    await settled()
    this.#listen()
  }

  /** Everyone does their work until the broker has nothing left. */
  async finish(): Promise<void> {
    for (let round = 0; round < 200 && !this.isThrough; round += 1) {
      for (let which = 0; which < this.readers.length; which += 1) await this.happen('ack', which)
      await this.happen('wait', 0)
    }
  }

  /** Whether every message was acknowledged. */
  get isThrough(): boolean {
    return [...this.#last.values()].every(({ words }) => words[0] === 'ack')
  }

  get published(): string[] {
    return [...this.#last.keys()]
  }

  async #read(subscription: Subscription, inHand: Map<string, ReceivedDelivery>): Promise<void> {
    for (;;) {
      const { value, done } = await subscription.next()
      if (done === true) return
      const { id = '' } = value
      assert.ok(!inHand.has(id), `message ${id} went to a reader that has it in hand`)
      inHand.set(id, value)
      assert.ok(inHand.size <= 3, 'the queue is bounded')
    }
  }

  #deliver(id: string): void {
    const delivery = this.#parts.adaptor.link.stream.deliver(id)
    this.#delivered.push(delivery)
    this.#last.set(id, delivery)
  }

  /** The broker hears the words: each delivery has one at most, and what was given back comes again. */
  #listen(): void {
    for (const { words } of this.#delivered) assert.ok(words.length <= 1, words.join())
    for (const [id, { words }] of this.#last) if (words[0] === 'nack 0') this.#deliver(id)
  }

  async #relink(): Promise<void> {
    const { adaptor, clock } = this.#parts
    adaptor.link.lose()
    await settled()
    clock.advance(30_000)
    await settled()
    adaptor.last.accept()
    await settled()
    for (const [id, { words }] of this.#last) if (words[0] !== 'ack') this.#deliver(id)
  }
}

test('whatever subscribers and links do, every message is done by one at least, and the broker is told in the end', async () => {
  const event = fc.tuple(
    fc.constantFrom('publish', 'publish', 'publish', 'ack', 'ack', 'nack', 'join', 'leave', 'relink', 'wait'),
    fc.nat({ max: 5 }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 60, size: 'max' }), async (events) => {
      const parts = await linked()
      const world = new World(parts)
      await world.join()
      for (const [what, which] of events) await world.happen(what, which)
      await world.finish()
      assert.ok(world.isThrough, 'the broker still waits')
      assert.deepEqual(
        world.published.filter((id) => !world.done.has(id)),
        [],
      )
      await parts.connection.close()
      assert.equal(parts.clock.timers, 0)
    }),
    { numRuns: 150 },
  )
})
