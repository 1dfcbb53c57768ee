import type { BackhaulError, Clock, Deliveries, Delivery, Link } from '../contract/index.ts'
import { backoff } from '../kit/backoff.ts'
import type { Deferred } from '../kit/deferred.ts'
import { deferred } from '../kit/deferred.ts'
import { topicsFailure } from './failure.ts'
import { pause } from './pause.ts'
import { settledWithin } from './settled-within.ts'
import type { Subscriber, SubscriberFeed } from './subscriber.ts'
import { Work } from './work.ts'

/*
 * One subscription at the broker, and its local subscribers.
 *
 *   no link ──link──▶ asking ──granted──▶ reading ⇄ held (a subscriber is full, or nobody takes anything)
 *      ▲                │ ▲                  │
 *      │                │ └── a moment later ┘ stream ended, or a passing error, on a link that lives
 *      └── link gone ◀──┴────── from any of them
 *
 *   over: the topics were refused (each subscriber ends with the error), or the last subscriber left.
 *
 * Invariants
 * - A message is offered to those who are subscribed and take messages when it arrives; the broker's acknowledgement
 *   follows when each of them is done with it or gave it up.
 * - Given up by all that had it: acknowledged only when one did the work and others are still subscribed, else handed back.
 * - A repeat of a message that is still in work (same id and topic) is offered to nobody: it joins the work, and its
 *   delivery is acknowledged with it. A repeat of one whose work was done while no link could take the
 *   acknowledgement is acknowledged at once.
 * - Nothing is read from the stream while a subscriber is full: what is unread stays at the link, which is bounded.
 * - Each link's reading has two signals: `over` (the link is gone, or the feed left it: late results count for nothing)
 *   and `left` (the feed left it), which alone is the link's to see: to the broker it is the end of the subscription, and
 *   a link that is lost or closed ends none.
 */

/** How many ids are remembered whose acknowledgement no link could take. */
const UNHEARD_LIMIT = 1000

/** How long the end of a subscription at the broker is waited for. */
const END_GRACE_MS = 6000

/** One reading of one link. */
interface Run {
  readonly over: AbortController
  readonly left: AbortController
}

/** What a feed is made of. */
export interface FeedParts {
  /** What to subscribe to. */
  readonly topics: readonly string[]
  /** The group to share with. */
  readonly group: string | undefined
  /** Time and timers. */
  readonly clock: Clock
  /** Dice for the backoff. */
  readonly random: () => number
  /** Told that the feed is over. `ended` fulfils once the broker knows of it; without, it need not be told. */
  readonly onOver: (feed: Feed, ended: Promise<unknown> | undefined) => void
}

/** One subscription at the broker with any number of local subscribers. */
export class Feed implements SubscriberFeed {
  readonly #parts: FeedParts
  readonly #subscribers = new Set<Subscriber>()
  readonly #works = new Map<string, Work>()
  readonly #unheard = new Set<string>()
  #run: Run | undefined
  #reading: Promise<void> = Promise.resolve()
  #stream: Deliveries | undefined
  #room: Deferred<void> | undefined

  /** Waits for subscribers and a link. */
  constructor(parts: FeedParts) {
    this.#parts = parts
  }

  /** How many messages wait, where the link tells. */
  get lag(): number | undefined {
    return this.#stream?.lag
  }

  /** Takes a subscriber in: for what arrives from now on. */
  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber)
    if (this.#stream !== undefined) subscriber.granted()
    this.changed()
  }

  /** There is a link: asks it for the topics, but not before `after`. */
  linkUp(link: Link, after: Promise<unknown> | undefined): void {
    this.#run = { over: new AbortController(), left: new AbortController() }
    this.#reading = this.#read(link, this.#run, after)
  }

  /** The link is gone: waits for the next one. */
  linkDown(): void {
    this.#run?.over.abort()
    this.#run = undefined
    this.#stream = undefined
    this.#freeReader()
  }

  /** The connection is closed: subscribers end, and the broker keeps what is unfinished, and durable subscriptions. */
  close(error: BackhaulError): void {
    for (const subscriber of this.#subscribers) subscriber.close(error)
    // whoever leaves from now on leaves nothing at the broker
    this.#subscribers.clear()
  }

  /** A subscriber is done with a message. */
  finished(work: Work): void {
    work.done = true
    work.open -= 1
    if (work.open === 0) this.#settle(work, true)
    this.changed()
  }

  /** A subscriber takes nothing more, or has room again. */
  changed(): void {
    if (!this.#held()) this.#freeReader()
  }

  /** A subscriber leaves and gives its messages up; the last one ends the feed. */
  leave(subscriber: Subscriber, unfinished: Iterable<Work>): Promise<void> {
    if (!this.#subscribers.delete(subscriber)) return Promise.resolve()
    const last = this.#subscribers.size === 0
    for (const work of unfinished) {
      work.open -= 1
      if (work.open === 0) this.#settle(work, work.done && !last)
    }
    if (last) return this.#end()
    this.changed()
    return Promise.resolve()
  }

  async #end(): Promise<void> {
    const { clock, onOver } = this.#parts
    if (this.#run === undefined) {
      onOver(this, undefined)
      return
    }
    const returned = this.#stream?.return?.()
    this.#run.left.abort()
    this.linkDown()
    const ended = settledWithin(clock, END_GRACE_MS, Promise.all([returned, this.#reading]))
    onOver(this, ended)
    await ended
  }

  #refuse(error: BackhaulError): void {
    for (const subscriber of this.#subscribers) subscriber.refuse(error)
    this.#subscribers.clear()
    this.#run = undefined
    this.#parts.onOver(this, undefined)
  }

  /** Keeps the topics subscribed on one link. Never rejects; ends when the run is over, or the topics are refused. */
  async #read(link: Link, run: Run, after: Promise<unknown> | undefined): Promise<void> {
    const { clock, random } = this.#parts
    const over = run.over.signal
    if (after !== undefined) await after
    const delays = backoff(undefined, undefined, random)
    while (!over.aborted) {
      try {
        await this.#readStream(link, run)
      } catch (reason) {
        const { error, refused } = topicsFailure(reason)
        if (refused && !over.aborted) {
          this.#refuse(error)
          return
        }
      }
      this.#stream = over.aborted ? this.#stream : undefined
      await pause(clock, delays.next().value, over)
    }
  }

  async #readStream(link: Link, run: Run): Promise<void> {
    const { topics, group } = this.#parts
    const over = run.over.signal
    const maxInWork = Math.max(...Array.from(this.#subscribers, (subscriber) => subscriber.maxInWork))
    const stream = await link.subscribe(topics, { group, maxInWork }, run.left.signal)
    if (over.aborted) {
      await stream.return?.()
      return
    }
    this.#stream = stream
    for (const subscriber of this.#subscribers) subscriber.granted()
    while (!over.aborted) {
      if (this.#held()) {
        await this.#untilRoom()
        continue
      }
      const { value, done } = await stream.next()
      if (done === true) return
      if (over.aborted) value.nack(0)
      else this.#dispatch(value, over)
    }
  }

  #dispatch(delivery: Delivery, link: AbortSignal): void {
    const { id } = delivery
    const running = id === undefined ? undefined : this.#works.get(id)
    if (running !== undefined && running.newest.topic === delivery.topic) {
      running.join(delivery, link)
      return
    }
    if (id !== undefined && this.#unheard.delete(id)) {
      delivery.ack()
      return
    }
    let takers = 0
    for (const subscriber of this.#subscribers) if (subscriber.takes) takers += 1
    if (takers === 0) {
      delivery.nack(0)
      return
    }
    const work = new Work(delivery, link, takers)
    if (id !== undefined && running === undefined) this.#works.set(id, work)
    for (const subscriber of this.#subscribers) if (subscriber.takes) subscriber.offer(work)
  }

  /** Everyone is through with a message: says so to the broker. */
  #settle(work: Work, done: boolean): void {
    const { id } = work.newest
    if (id !== undefined && this.#works.get(id) === work) this.#works.delete(id)
    if (!done) {
      work.handBack()
      return
    }
    work.acknowledge()
    if (id === undefined || !work.link.aborted) return
    this.#unheard.add(id)
    if (this.#unheard.size <= UNHEARD_LIMIT) return
    for (const oldest of this.#unheard) {
      this.#unheard.delete(oldest)
      return
    }
  }

  /** Whether nothing may be read now. */
  #held(): boolean {
    let taken = false
    for (const subscriber of this.#subscribers) {
      if (!subscriber.takes) continue
      if (subscriber.full) return true
      taken = true
    }
    return !taken
  }

  #untilRoom(): Promise<void> {
    this.#room ??= deferred()
    return this.#room.promise
  }

  #freeReader(): void {
    this.#room?.resolve()
    this.#room = undefined
  }
}
