import type { Clock, Headers, Position, Timer } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { AsyncQueue } from '../kit/async-queue.ts'
import type { Deferred } from '../kit/deferred.ts'
import { deferred } from '../kit/deferred.ts'
import type { ReceivedDelivery, Subscription, SubscriptionOptions } from './subscription.ts'
import type { Work } from './work.ts'

/*
 * One local subscriber of a feed.
 *
 * Invariants
 * - `unfinished` holds each message that was offered and is neither done nor given up: in the queue, handed out, or
 *   waiting to come again. Its size is the bound of the queue.
 * - For each of them one delivery is valid: the one that it maps to. Words on an earlier one (given back, given up,
 *   already done) say nothing.
 * - After the end (stop, unsubscribe, refusal, close) no timer is set and nothing is handed out; a word on a delivery
 *   still counts until unsubscribe.
 */

/** What a subscriber tells the feed that it belongs to. */
export interface SubscriberFeed {
  /** How many messages wait, where the link tells. */
  readonly lag: number | undefined
  /** It is done with a message. */
  finished(work: Work): void
  /** It takes nothing more, or has room again. */
  changed(): void
  /** It leaves, and gives these messages up. Never rejects. */
  leave(subscriber: Subscriber, unfinished: Iterable<Work>): Promise<void>
}

/** A local subscriber: what `subscribe()` gives. */
export class Subscriber implements Subscription {
  /** How many messages it may have unfinished. */
  readonly maxInWork: number
  readonly #feed: SubscriberFeed
  readonly #clock: Clock
  readonly #signal: AbortSignal | undefined
  readonly #maxDeliveries: number
  readonly #redeliveryDelayMs: number
  readonly #onGaveUp: SubscriptionOptions['onGaveUp']
  readonly #ready: Deferred<Subscription> = deferred<Subscription>()
  readonly #queue = new AsyncQueue<ReceivedDelivery>()
  readonly #unfinished = new Map<Work, ReceivedDelivery>()
  readonly #timers = new Set<Timer>()
  readonly #onAbort = () => void this.unsubscribe()
  #leaving: Promise<void> | undefined

  /** Waits for `granted()` or `refuse()`. */
  constructor(
    feed: SubscriberFeed,
    options: SubscriptionOptions,
    clock: Clock,
    signal: AbortSignal | undefined,
  ) {
    this.maxInWork = options.maxInWork ?? 100
    this.#maxDeliveries = options.maxDeliveries ?? 5
    this.#redeliveryDelayMs = options.redeliveryDelayMs ?? 1000
    this.#onGaveUp = options.onGaveUp
    this.#feed = feed
    this.#clock = clock
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Fulfils with itself at the first grant; rejects when there is none. */
  get ready(): Promise<Subscription> {
    return this.#ready.promise
  }

  /** See {@link Subscription.lag}. */
  get lag(): number | undefined {
    return this.#feed.lag
  }

  /** Whether it takes messages: false from its end on. */
  get takes(): boolean {
    return !this.#queue.ended
  }

  /** Whether it has no room for another message. */
  get full(): boolean {
    return this.#unfinished.size >= this.maxInWork
  }

  /** Told by the feed that the broker granted the topics. */
  granted(): void {
    this.#ready.resolve(this)
  }

  /** Told by the feed that the broker does not grant the topics. */
  refuse(error: BackhaulError): void {
    this.#end(error)
    this.#queue.end(error)
  }

  /** Told by the feed that the connection is closed. Words on what was handed out still count. */
  close(error: BackhaulError): void {
    this.#end(error)
    this.stop()
  }

  /** Takes a message in. */
  offer(work: Work): void {
    const delivery = new LocalDelivery(this, work, 1)
    this.#unfinished.set(work, delivery)
    this.#queue.push(delivery)
  }

  /** A delivery is done. */
  ack(delivery: LocalDelivery, work: Work): void {
    if (this.#unfinished.get(work) === delivery) this.#finish(work)
  }

  /** A delivery, the `attempt`th, was given back. */
  nack(
    delivery: LocalDelivery,
    work: Work,
    attempt: number,
    delayMs: number | undefined,
    why: unknown,
  ): void {
    if (this.#unfinished.get(work) !== delivery) return
    if (attempt >= this.#maxDeliveries) void this.#giveUp(delivery, work, attempt, why)
    else this.#comeAgain(this.#replace(work, attempt + 1), delayMs ?? this.#redeliveryDelayMs)
  }

  /** The next delivery; waits for it. */
  next(): Promise<IteratorResult<ReceivedDelivery, undefined>> {
    return this.#queue.next()
  }

  /** As `unsubscribe()`. */
  async return(): Promise<IteratorResult<ReceivedDelivery, undefined>> {
    await this.unsubscribe()
    return { value: undefined, done: true }
  }

  /** Hands nothing more out. */
  stop(): void {
    this.#cancelTimers()
    this.#queue.drain()
    this.#queue.end()
    this.#feed.changed()
  }

  /** Leaves, and gives up what is unfinished. */
  unsubscribe(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this
  }

  /** As `unsubscribe()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.unsubscribe()
  }

  #leave(): Promise<void> {
    this.#end(new BackhaulError('ABORTED', 'Cannot subscribe: the caller gave up', this.#signal?.reason))
    this.#queue.drain()
    this.#queue.end()
    const works = [...this.#unfinished.keys()]
    this.#unfinished.clear()
    return this.#feed.leave(this, works)
  }

  #end(unlessGranted: BackhaulError): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#ready.reject(unlessGranted)
    this.#cancelTimers()
  }

  #cancelTimers(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  #finish(work: Work): void {
    this.#unfinished.delete(work)
    this.#feed.finished(work)
  }

  /** Makes the next delivery of a message the valid one. */
  #replace(work: Work, attempt: number): LocalDelivery {
    const next = new LocalDelivery(this, work, attempt)
    this.#unfinished.set(work, next)
    return next
  }

  #comeAgain(delivery: LocalDelivery, delayMs: number): void {
    if (this.#queue.ended) return
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer)
      this.#queue.unshift(delivery)
    })
    this.#timers.add(timer)
  }

  async #giveUp(delivery: LocalDelivery, work: Work, attempt: number, why: unknown): Promise<void> {
    const next = this.#replace(work, attempt)
    try {
      await this.#onGaveUp?.(delivery, why)
    } catch {
      this.#comeAgain(next, this.#redeliveryDelayMs)
      return
    }
    if (this.#unfinished.get(work) === next) this.#finish(work)
  }
}

/** One delivery of a message to one subscriber. */
class LocalDelivery implements ReceivedDelivery {
  readonly topic: string
  readonly payload: Uint8Array
  readonly key: string | undefined
  readonly headers: Headers | undefined
  readonly id: string | undefined
  readonly redelivered: boolean
  readonly retained: boolean
  readonly #subscriber: Subscriber
  readonly #work: Work
  readonly #attempt: number

  constructor(subscriber: Subscriber, work: Work, attempt: number) {
    const { topic, payload, key, headers, id, redelivered, retained } = work.newest
    this.topic = topic
    this.payload = payload
    this.key = key
    this.headers = headers
    this.id = id
    this.redelivered = redelivered || attempt > 1
    this.retained = retained
    this.#subscriber = subscriber
    this.#work = work
    this.#attempt = attempt
  }

  get position(): Position | undefined {
    return this.#work.newest.position
  }

  ack(): void {
    this.#subscriber.ack(this, this.#work)
  }

  nack(delayMs?: number, reason?: unknown): void {
    this.#subscriber.nack(this, this.#work, this.#attempt, delayMs, reason)
  }
}
