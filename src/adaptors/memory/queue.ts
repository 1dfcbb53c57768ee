import type { Message } from '../../contract/index.ts'
import { Ring } from '../../kit/ring.ts'
import { matchesFilter } from '../shared/topic-filter.ts'
import type { Member } from './member.ts'

/** One message in one queue. `handedOut` counts how often it went to a member. */
export interface Entry {
  /** Its place in the order of arrival at the broker. */
  readonly sequence: number
  /** The message itself, shared by all queues. */
  readonly message: Message
  /** How often it went to a member. */
  handedOut: number
}

/** What a queue needs of its broker. */
export interface QueueOwner {
  /** Has the broker look at its queues soon. */
  wake(): void
  /** Calls `task` once after `delayMs`; gives what stops it. */
  after(delayMs: number, task: () => void): { cancel(): void }
}

/**
 * What the broker keeps for one subscription, or for one topic of a group: the messages that wait, and the members
 * that take them in turn. What a member gives back goes to its old place, so order is kept.
 */
export class Queue {
  /** The filters whose messages it collects. */
  readonly topics: readonly string[]
  /** Name of the group, or `undefined` for a subscription of one link. */
  readonly group: string | undefined
  /** The lasting identity that it belongs to, if any. */
  readonly clientId: string | undefined
  /** Those who take from it now. */
  readonly members: Member[] = []
  readonly #owner: QueueOwner
  readonly #waiting = new Ring<Entry>()
  readonly #timers = new Set<{ cancel(): void }>()
  #bytes = 0
  #ended = false

  /** @param group - several members of one group share a queue */
  constructor(
    owner: QueueOwner,
    topics: readonly string[],
    group: string | undefined,
    clientId: string | undefined,
  ) {
    this.#owner = owner
    this.topics = topics
    this.group = group
    this.clientId = clientId
  }

  /** Payload bytes of what is in it, in work or not. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether a message of this topic goes in. */
  matches(topic: string): boolean {
    return this.topics.some((filter) => matchesFilter(filter, topic))
  }

  /** Takes a new message. */
  add(sequence: number, message: Message): void {
    this.#waiting.push({ sequence, message, handedOut: 0 })
    this.#bytes += message.payload.length
  }

  /** Hands what waits to members that have room, each in turn. */
  dispatch(): void {
    while (this.#waiting.length > 0) {
      const index = this.members.findIndex((member) => member.hasRoom)
      const [member] = index < 0 ? [] : this.members.splice(index, 1)
      if (member === undefined) return
      this.members.push(member)
      const entry = this.#waiting.shift()
      if (entry === undefined) return
      entry.handedOut += 1
      member.hand(this, entry)
    }
  }

  /** A member has finished it: it is forgotten. */
  done(entry: Entry): void {
    this.#bytes -= entry.message.payload.length
  }

  /** A member gives it back: it waits again, at its old place, after `delayMs`. */
  giveBack(entry: Entry, delayMs = 0): void {
    if (this.#ended) return
    if (delayMs <= 0) {
      this.#insert(entry)
      this.#owner.wake()
      return
    }
    const timer = this.#owner.after(delayMs, () => {
      this.#timers.delete(timer)
      this.#insert(entry)
      this.#owner.wake()
    })
    this.#timers.add(timer)
  }

  /** Forgets everything. */
  end(): void {
    this.#ended = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    this.#waiting.clear()
  }

  #insert(entry: Entry): void {
    const before: Entry[] = []
    for (let first = this.#waiting.peek(); first !== undefined; first = this.#waiting.peek()) {
      if (first.sequence > entry.sequence) break
      before.push(first)
      this.#waiting.shift()
    }
    this.#waiting.unshift(entry)
    for (const first of before.toReversed()) this.#waiting.unshift(first)
  }
}
