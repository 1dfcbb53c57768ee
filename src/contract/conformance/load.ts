import assert from 'node:assert/strict'

import type { DialRequest, Link, Outcome } from '../adaptor.ts'
import type { Message } from '../message.ts'
import type { DurableReader } from './durability.ts'
import { describe } from './errors.ts'
import type { Promises } from './harness.ts'
import type { Scope } from './scope.ts'
import { bytesOf, textOf } from './scope.ts'
import { Settlements } from './settlements.ts'
import { pause } from './waiting.ts'

/*
 * A small supervisor, as the rooms above adaptors have one: the sender dials again when its link is lost, lets everything in
 * flight settle, and sends what failed again in order, with the same ids. The receiver dials and subscribes again.
 * Both write down what happened, so that the promises can be checked afterwards.
 */

/** Why a message may have come twice. */
interface Arrival {
  /** How often it came. */
  count: number
  /** On which of the receiver's links it came last. */
  link: number
}

/** Sends until everything is delivered, whatever happens to its links. */
export class Sender {
  /** All messages, in order. */
  readonly messages: readonly Message[]
  /** Ids that were acknowledged. */
  readonly acknowledged = new Set<string>()
  /** How often each id was handed to a link. */
  readonly attempts = new Map<string, number>()
  /** How many links it has had. */
  links = 0
  readonly #scope: Scope
  readonly #client: DialRequest<unknown>
  #link: Link | undefined
  #waiting: Message[]

  /** @param messages - what to send; the order of a key is their order here */
  constructor(scope: Scope, client: DialRequest<unknown>, messages: readonly Message[]) {
    this.#scope = scope
    this.#client = client
    this.messages = messages
    this.#waiting = [...messages]
  }

  /** The link that is up now. */
  get link(): Link | undefined {
    return this.#link
  }

  /** Resolves when everything is acknowledged. */
  async run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#scope.ended.aborted) {
      const link = await dialAgain(this.#scope, this.#client)
      if (link === undefined) return
      this.links += 1
      this.#link = link
      void link.lost.then(() => (this.#link = undefined))
      while (this.#waiting.length > 0 && this.#link === link && !this.#scope.ended.aborted) {
        await this.#sendSome(link)
      }
      await this.#scope.close(link)
    }
  }

  /** Hands in what may be on its way at once, in several batches, waits for all of it, and keeps what failed, in order. */
  async #sendSome(link: Link): Promise<void> {
    const wave = this.#wave(link)
    const batches: Settlements[] = []
    for (let from = 0; from < wave.length; from += 5) {
      const batch = new Settlements(wave.slice(from, from + 5))
      batches.push(batch)
      for (const { id } of batch.messages) this.attempts.set(id, (this.attempts.get(id) ?? 0) + 1)
      link.publish(batch.messages, batch.settle, this.#scope.ended)
    }
    const failed: Message[] = []
    for (const batch of batches) {
      for (const [index, outcome] of (await batch.all(this.#scope.waitMs * 2)).entries()) {
        const message = batch.messages[index]
        if (message !== undefined && !this.#isDone(message, outcome)) failed.push(message)
      }
    }
    for (const batch of batches) batch.checkOnce()
    this.#waiting = [...failed, ...this.#waiting]
  }

  #wave(link: Link): Message[] {
    const { keepsOrderAfterFailure, maxInFlight } = link.capabilities
    const size = Math.min(maxInFlight, 40)
    if (keepsOrderAfterFailure) return this.#waiting.splice(0, size)
    // without that promise, one of each key at a time
    const keys = new Set<string | undefined>()
    const wave = this.#waiting.filter(({ key }) => keys.size < size && !keys.has(key) && keys.add(key))
    this.#waiting = this.#waiting.filter((message) => !wave.includes(message))
    return wave
  }

  #isDone(message: Message, outcome: Outcome): boolean {
    if (outcome.kind === 'delivered') this.acknowledged.add(message.id)
    const refused = outcome.kind === 'refused' && outcome.scope !== 'link'
    assert.ok(!refused, `the broker refused a message: ${refused ? describe(outcome.error) : ''}`)
    return outcome.kind === 'delivered'
  }
}

/** Reads and acknowledges until everything is there, whatever happens to its links. */
export class Receiver {
  /** What came, by id or, where ids are not carried, by payload. */
  readonly arrivals = new Map<string, Arrival>()
  /** Payloads in the order of first arrivals. */
  readonly firsts: string[] = []
  /** Faults that were seen on the way. */
  readonly faults: string[] = []
  readonly #scope: Scope
  readonly #subscription: DurableReader
  readonly #attempts: ReadonlyMap<string, number>
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = []
  #links = 0

  /** @param attempts - how often each message was handed to a link, to tell which repeats are allowed */
  constructor(scope: Scope, subscription: DurableReader, attempts: ReadonlyMap<string, number>) {
    this.#scope = scope
    this.#subscription = subscription
    this.#attempts = attempts
  }

  /** Whether it has had more than one link. */
  get hasComeBack(): boolean {
    return this.#links > 1
  }

  /** What the broker promises. */
  get promises(): Promises {
    return this.#scope.harness.promises
  }

  /** Resolves when so many messages have arrived. */
  hasHad(count: number): Promise<void> {
    if (this.firsts.length >= count) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ count, resolve }))
  }

  /** The first subscription, which must be there before the first message goes out. Then `run()`. */
  async start(): Promise<() => Promise<void>> {
    const first = await this.#subscription.come()
    return async () => {
      await this.#drain(first.reader.stream)
      while (!this.#scope.ended.aborted) {
        try {
          const { reader } = await this.#subscription.come()
          await this.#drain(reader.stream)
        } catch {
          // the broker is away: come again
          await pause(10)
        }
      }
    }
  }

  async #drain(
    stream: AsyncIterable<{ payload: Uint8Array; id: string | undefined; ack(): void }>,
  ): Promise<void> {
    this.#links += 1
    for await (const delivery of stream) {
      this.#note(textOf(delivery.payload), delivery.id)
      delivery.ack()
    }
  }

  #note(payload: string, id: string | undefined): void {
    const [, sentAs = ''] = payload.split(' ')
    const before = this.arrivals.get(sentAs)
    if (id !== undefined && id !== sentAs) this.faults.push(`${payload} came with the id ${id}`)
    if (before === undefined) {
      this.arrivals.set(sentAs, { count: 1, link: this.#links })
      this.firsts.push(payload)
      for (const { count, resolve } of this.#waiting) {
        if (this.firsts.length >= count) resolve()
      }
      return
    }
    before.count += 1
    const resumed = this.hasComeBack && this.promises.repeatsOnResume === true
    const allowed = (this.#attempts.get(sentAs) ?? 0) > 1 || before.link < this.#links || resumed
    if (!allowed) this.faults.push(`${payload} came twice, though it was sent once and was not in flight`)
    before.link = this.#links
  }
}

/** Dials until it succeeds; `undefined` when the behaviour is over. */
async function dialAgain(scope: Scope, client: DialRequest<unknown>): Promise<Link | undefined> {
  while (!scope.ended.aborted) {
    try {
      const limit = AbortSignal.any([scope.ended, AbortSignal.timeout(Math.min(scope.waitMs, 2000))])
      return scope.track(await scope.harness.adaptor.dial(client, limit))
    } catch (error) {
      scope.check(error)
      await pause(10)
    }
  }
  return undefined
}

/** Messages of several keys; the payload says number, id and key. */
export function numbered(scope: Scope, topic: string): Message[] {
  const { messages, keys } = scope.intensity
  return Array.from({ length: messages }, (_, index) => {
    const message = scope.message(topic, { key: `key-${index % keys}` })
    return { ...message, payload: bytesOf(`${index} ${message.id} ${message.key}`) }
  })
}

/** Checks what a load has written down: nothing acknowledged is lost, first arrivals of a key are in order. */
export function checkLoad(sender: Sender, receiver: Receiver): void {
  assert.deepEqual(receiver.faults, [])
  for (const id of sender.acknowledged) {
    assert.ok(receiver.arrivals.has(id), 'a message that was acknowledged is lost')
  }
  if (receiver.hasComeBack && receiver.promises.reordersOnResume === true) return
  const last = new Map<string, number>()
  for (const payload of receiver.firsts) {
    const [number = '', , key = ''] = payload.split(' ')
    const before = last.get(key) ?? -1
    assert.ok(before < Number(number), `message ${number} of "${key}" first came after ${before}`)
    last.set(key, Number(number))
  }
}
