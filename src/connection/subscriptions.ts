import type { Adaptor, Clock, Link } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { Feed } from './feed.ts'
import { Subscriber } from './subscriber.ts'
import type { Subscription, SubscriptionOptions } from './subscription.ts'

/*
 * All feeds of a connection: one for each distinct set of topics and group.
 *
 * Invariants: a feed is in the table from its first subscriber until it is over; the feed that follows it with the
 * same topics asks the broker only when the broker knows of the end of the earlier one; each link is told to all feeds
 * before anyone else is told of it, so that subscriptions go out before what is published on it.
 */

/** What the subscriptions need. */
export interface SubscriptionsParts {
  /** The protocol: for its topic syntax and what it can do. */
  readonly adaptor: Pick<Adaptor, 'protocol' | 'capabilities' | 'checkTopic'>
  /** Time and timers. */
  readonly clock: Clock
  /** Dice for the backoff. */
  readonly random: () => number
}

/** The subscriptions of one connection, over all its links. */
export class Subscriptions {
  readonly #parts: SubscriptionsParts
  readonly #feeds = new Map<string, Feed>()
  readonly #ending = new Map<string, Promise<unknown>>()
  #link: Link | undefined
  #closed = false

  /** Begins without a link. */
  constructor(parts: SubscriptionsParts) {
    this.#parts = parts
  }

  /** Subscribes; fulfils at the broker's grant. See `Connection.subscribe()`. */
  async add(
    topics: readonly string[],
    options: SubscriptionOptions,
    signal: AbortSignal | undefined,
  ): Promise<Subscription> {
    this.#check(topics, options.group, signal)
    const wanted = [...new Set(topics)].sort()
    const key = JSON.stringify([options.group ?? null, ...wanted])
    const known = this.#feeds.get(key)
    const feed = known ?? this.#create(key, wanted, options.group)
    const subscriber = new Subscriber(feed, options, this.#parts.clock, signal)
    feed.add(subscriber)
    if (known === undefined && this.#link !== undefined) feed.linkUp(this.#link, this.#ending.get(key))
    return subscriber.ready
  }

  /** There is a link: all topics are subscribed on it. */
  linkUp(link: Link): void {
    this.#link = link
    for (const [key, feed] of this.#feeds) feed.linkUp(link, this.#ending.get(key))
  }

  /** The link is gone. */
  linkDown(): void {
    this.#link = undefined
    for (const feed of this.#feeds.values()) feed.linkDown()
  }

  /** Ends all subscribers. The broker is told nothing: it keeps durable subscriptions and what is unfinished. */
  close(): void {
    this.#closed = true
    for (const feed of this.#feeds.values()) feed.close(closedError())
  }

  #create(key: string, topics: readonly string[], group: string | undefined): Feed {
    const { clock, random } = this.#parts
    const onOver = (over: Feed, ended: Promise<unknown> | undefined) => {
      if (this.#feeds.get(key) === over) this.#feeds.delete(key)
      if (ended === undefined) return
      this.#ending.set(key, ended)
      void ended.then(() => {
        if (this.#ending.get(key) === ended) this.#ending.delete(key)
      })
    }
    const feed = new Feed({ topics, group, clock, random, onOver })
    this.#feeds.set(key, feed)
    return feed
  }

  #check(topics: readonly string[], group: string | undefined, signal: AbortSignal | undefined): void {
    const { adaptor } = this.#parts
    if (this.#closed) throw closedError()
    if (signal?.aborted === true) {
      throw new BackhaulError('ABORTED', 'Cannot subscribe: the caller gave up', signal.reason)
    }
    if (topics.length === 0) {
      throw new BackhaulError('INVALID_TOPIC', 'Cannot subscribe: no topic is named, name at least one')
    }
    for (const topic of topics) adaptor.checkTopic(topic, 'subscribe')
    const { subscribes, groups } = adaptor.capabilities
    if (!subscribes || (group !== undefined && !groups)) {
      const what = subscribes ? 'groups' : 'subscriptions'
      throw new BackhaulError(
        'UNSUPPORTED',
        `Cannot subscribe: ${adaptor.protocol} has no ${what} here, use another protocol`,
      )
    }
  }
}

function closedError(): BackhaulError {
  return new BackhaulError('CLOSED', 'Cannot subscribe: the connection was closed, open a new one')
}
