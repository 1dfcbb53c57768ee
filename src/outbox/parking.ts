import type { BackhaulError, Priority } from '../contract/index.ts'
import { PRIORITIES } from '../contract/index.ts'
import type { ParkedEvent } from './channels.ts'
import { parkedChannel } from './channels.ts'
import type { Entry, LaneIndex } from './entry.ts'
import type { Store } from './store.ts'

/*
 * Topics that the broker refuses, for one priority class.
 *
 *   refused ── every so often, and on a new link ──▶ due ── its first message goes out ──▶ probing
 *      ▲  ▲                                              ▲                                     │  │
 *      │  └────────────── refused again ─────────────────┼─────────────────────────────────────┘  │
 *      │                   nothing is known: failed ──────┘                        delivered        │
 *      └── refused again ── open ◀────────────────────────────────────────────────────────────────┘
 *
 * The end of a link puts back what it carried, which is one more way to know nothing. Some brokers end the link of whoever
 * publishes what they refuse: a new link does not try what was refused a moment ago, or it would end like the one before, and
 * nothing else would go out.
 *
 * While a topic is here, its newer messages go behind the parked ones. An open topic is emptied from the front like any
 * other source, and leaves when nothing of it is parked any more: so its order holds, and no other topic waits for it.
 */

/** A topic that the broker refuses for now, for health and status. */
export interface ParkedTopic {
  /** The topic. */
  readonly topic: string
  /** The class that it is parked for. */
  readonly priority: Priority
  /** How many messages wait for it. */
  readonly messages: number
  /** The latest refusal; `undefined` when the store was found with it. */
  readonly error: BackhaulError | undefined
}

/** What was refused so long ago, in milliseconds, is tried on a new link. */
const RECENT_MS = 5000

interface Topic {
  readonly name: string
  refusedAtMs: number
  state: 'refused' | 'due' | 'probing' | 'open'
  error: BackhaulError | undefined
}

/** The refused topics of one class. */
export class Parking {
  readonly #lane: LaneIndex
  readonly #store: Store
  readonly #topics = new Map<string, Topic>()
  /** Topics that are due or open: the first one is next. */
  readonly #ready = new Set<Topic>()

  /** Takes up what the store has parked. */
  constructor(lane: LaneIndex, store: Store) {
    this.#lane = lane
    this.#store = store
    for (const name of store.parkedTopics(lane)) {
      this.#topics.set(name, { name, refusedAtMs: -Infinity, state: 'refused', error: undefined })
    }
  }

  /** How many topics are refused. */
  get size(): number {
    return this.#topics.size
  }

  /** Whether messages of a topic go behind others that are parked. */
  holds(topic: string): boolean {
    return this.#topics.has(topic)
  }

  /** Whether messages of a topic cannot leave now: it is refused, or only tried. */
  refuses(topic: string): boolean {
    const state = this.#topics.get(topic)?.state
    return state !== undefined && state !== 'open'
  }

  /** For health and status. */
  *list(): Generator<ParkedTopic> {
    for (const { name, error } of this.#topics.values()) {
      const messages = this.#store.parkedCount(this.#lane, name)
      yield { topic: name, priority: PRIORITIES[this.#lane], messages, error }
    }
  }

  /** The broker refused, at `nowMs`, the topic of a message that was on its way. */
  refuse(entry: Entry, error: BackhaulError, nowMs: number): void {
    const name = entry.message.topic
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = { name, refusedAtMs: nowMs, state: 'refused', error }
      this.#topics.set(name, topic)
    }
    topic.state = 'refused'
    topic.refusedAtMs = nowMs
    topic.error = error
    this.#ready.delete(topic)
    this.#store.park(entry)
    if (parkedChannel.hasSubscribers) {
      const event = { topic: name, priority: PRIORITIES[this.#lane], error }
      parkedChannel.publish(event satisfies ParkedEvent)
    }
  }

  /** The broker took a message: a topic that was tried is open again. */
  delivered(name: string): void {
    const topic = this.#topics.get(name)
    if (topic?.state !== 'probing') return
    topic.state = 'open'
    this.#ready.add(topic)
    this.#endWhenEmpty(topic)
  }

  /** The try told nothing about the topic: the next message is tried. */
  untried(name: string): void {
    const topic = this.#topics.get(name)
    if (topic?.state === 'probing') this.#makeDue(topic)
  }

  /** A new link is there: tries the topics that were not refused a moment ago. */
  linkUp(nowMs: number): void {
    this.#retry(nowMs - RECENT_MS)
  }

  /** Time to try every refused topic with its first message. */
  retry(): void {
    this.#retry(Infinity)
  }

  #retry(refusedUntilMs: number): void {
    for (const topic of this.#topics.values()) {
      if (topic.state !== 'refused' || topic.refusedAtMs > refusedUntilMs) continue
      this.#makeDue(topic)
      this.#endWhenEmpty(topic)
    }
  }

  /** The next parked entry that may go out, without taking it. */
  peek(): Entry | undefined {
    for (const topic of this.#ready) {
      const entry = this.#store.peekParked(this.#lane, topic.name)
      if (entry !== undefined) return entry
      // nothing is parked of it any more, or it is being read and the others go on
      this.#endWhenEmpty(topic)
    }
    return undefined
  }

  /** Takes out what `peek()` shows, to hand it to the link. */
  take(topicName: string): Entry | undefined {
    const topic = this.#topics.get(topicName)
    const entry = this.#store.takeParked(this.#lane, topicName)
    if (topic === undefined || entry === undefined) return entry
    this.#ready.delete(topic)
    if (topic.state === 'due') {
      topic.state = 'probing'
    } else {
      this.#ready.add(topic)
      this.#endWhenEmpty(topic)
    }
    return entry
  }

  #makeDue(topic: Topic): void {
    topic.state = 'due'
    this.#ready.add(topic)
  }

  #endWhenEmpty(topic: Topic): void {
    if (this.#store.parkedCount(this.#lane, topic.name) > 0) return
    this.#ready.delete(topic)
    this.#topics.delete(topic.name)
  }
}
