import { matchesFilter, splitSharedFilter } from '../topic-filter.ts'
import type { InboundPublish } from './decode-publish.ts'
import type { Reader } from './reader.ts'

/*
 * Which reader gets a message.
 *
 * A filter is one subscription at the broker, shared by every reader that asked for it; it lives while it has readers.
 * MQTT 5: each filter has a subscription identifier, and the broker names those that matched: no message is matched here.
 * Without identifiers (MQTT 3.1.1, or a broker that cannot), the topic is matched against every filter; the filters of a topic
 * are remembered.
 *
 * On a resumed session, messages that were stored carry identifiers of an earlier link, which may by now mean another
 * filter. There an identifier counts only where its filter matches the topic too, and else all filters are matched.
 */

const MAX_ROUTES = 1000

/** One subscription at the broker. */
export interface Filter {
  /** As it is sent, `$share/group/` included. */
  readonly text: string
  /** Without the group. */
  readonly pattern: string
  /** Its subscription identifier, from 1 on. */
  readonly identifier: number
  /** Who gets its messages. */
  readonly readers: Set<Reader>
}

/** The filters of one link. */
export class Subscriptions {
  readonly #byText = new Map<string, Filter>()
  readonly #byIdentifier = new Map<number, Filter>()
  readonly #routes = new Map<string, readonly Reader[]>()
  readonly #trustsIdentifiers: boolean
  #lastIdentifier = 0

  /** @param trustsIdentifiers - false on a resumed session */
  constructor(trustsIdentifiers: boolean) {
    this.#trustsIdentifiers = trustsIdentifiers
  }

  /** Adds a reader to a filter, which is made when it is new. */
  add(text: string, reader: Reader): Filter {
    this.#routes.clear()
    let filter = this.#byText.get(text)
    if (filter === undefined) {
      this.#lastIdentifier += 1
      const identifier = this.#lastIdentifier
      filter = { text, pattern: splitSharedFilter(text).filter, identifier, readers: new Set() }
      this.#byText.set(text, filter)
      this.#byIdentifier.set(identifier, filter)
    }
    filter.readers.add(reader)
    return filter
  }

  /** Takes a reader out of all its filters; gives those that have no reader any more. */
  remove(reader: Reader): string[] {
    this.#routes.clear()
    const left: string[] = []
    for (const filter of this.#byText.values()) {
      if (!filter.readers.delete(reader) || filter.readers.size > 0) continue
      this.#byText.delete(filter.text)
      this.#byIdentifier.delete(filter.identifier)
      left.push(filter.text)
    }
    return left
  }

  /** Every reader, once. */
  readers(): Set<Reader> {
    return new Set([...this.#byText.values()].flatMap((filter) => [...filter.readers]))
  }

  /** The readers of a message; none when nobody asked for it (any more). */
  route(publish: InboundPublish): Iterable<Reader> {
    const { subscriptions } = publish
    if (subscriptions === undefined) return this.#match(publish.topic)
    const only = subscriptions.length === 1 ? this.#byIdentifier.get(subscriptions[0] ?? 0) : undefined
    if (only !== undefined && this.#fits(only, publish.topic)) return only.readers
    const found = new Set<Reader>()
    for (const identifier of subscriptions) {
      const filter = this.#byIdentifier.get(identifier)
      if (filter === undefined || !this.#fits(filter, publish.topic)) continue
      for (const reader of filter.readers) found.add(reader)
    }
    return found.size > 0 || this.#trustsIdentifiers ? found : this.#match(publish.topic)
  }

  #fits(filter: Filter, topic: string): boolean {
    return this.#trustsIdentifiers || matchesFilter(filter.pattern, topic)
  }

  #match(topic: string): Iterable<Reader> {
    const known = this.#routes.get(topic)
    if (known !== undefined) return known
    const found = new Set<Reader>()
    for (const filter of this.#byText.values()) {
      if (!matchesFilter(filter.pattern, topic)) continue
      for (const reader of filter.readers) found.add(reader)
    }
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear()
    const readers = [...found]
    this.#routes.set(topic, readers)
    return readers
  }
}
