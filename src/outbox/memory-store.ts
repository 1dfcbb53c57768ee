import type { Account } from '../contract/index.ts'
import type { Entry, LaneIndex } from './entry.ts'
import { LANES } from './entry.ts'
import { SequenceQueue } from './sequence-queue.ts'
import type { Dropped, Store } from './store.ts'

const NOTHING: Account = Object.freeze({
  accepted: 0,
  delivered: 0,
  pending: 0,
  parked: 0,
  dead: 0,
  dropped: Object.freeze({ full: 0, expired: 0, withdrawn: 0, closed: 0, damaged: 0 }),
  pendingBytes: 0,
  resent: 0,
})

/** One lane: what waits, and what is parked, by topic in the order in which the topics were parked. */
class MemoryLane {
  readonly queue = new SequenceQueue()
  readonly parked = new Map<string, SequenceQueue>()
  sequence = 0
}

/**
 * Keeps messages in memory: they are safe at once, as long as the process lives. Reading never waits.
 */
export class MemoryStore implements Store {
  /** What is pending ends with the process. */
  readonly durable = false
  /** Always all zero. */
  readonly opening = NOTHING
  readonly #lanes: readonly [MemoryLane, MemoryLane, MemoryLane] = [
    new MemoryLane(),
    new MemoryLane(),
    new MemoryLane(),
  ]
  #parked = 0
  #parkedBytes = 0

  /** How many messages are parked now. */
  get parked(): number {
    return this.#parked
  }

  /** Their payload bytes. */
  get parkedBytes(): number {
    return this.#parkedBytes
  }

  /** Nothing happens by itself here: nobody need be told. */
  attach(): void {
    // no events
  }

  /** The limits of the pump are the only ones. */
  hasRoom(): boolean {
    return true
  }

  /** Adds a message at the end of its lane. */
  append(entry: Entry): void {
    const lane = this.#lanes[entry.lane]
    lane.sequence += 1
    entry.sequence = lane.sequence
    lane.queue.add(entry)
  }

  /** Memory is as safe as this store ever is. */
  safe(): undefined {
    return undefined
  }

  /** The first entry that waits in a lane. */
  peek(lane: LaneIndex): Entry | undefined {
    return this.#lanes[lane].queue.peek()
  }

  /** Takes it. */
  take(lane: LaneIndex): Entry | undefined {
    return this.#lanes[lane].queue.shift()
  }

  /** What was taken is no longer here. */
  remove(): void {
    // nothing to do
  }

  /** The account lives as long as this store. */
  note(): void {
    // nothing to do
  }

  /** Puts a taken entry beside the lane, in order of its sequence. */
  park(entry: Entry): void {
    const { parked } = this.#lanes[entry.lane]
    let queue = parked.get(entry.message.topic)
    if (queue === undefined) {
      queue = new SequenceQueue()
      parked.set(entry.message.topic, queue)
    }
    queue.add(entry)
    this.#parked += 1
    this.#parkedBytes += entry.bytes
  }

  /** The topics with something parked in a lane. */
  parkedTopics(lane: LaneIndex): Iterable<string> {
    return this.#lanes[lane].parked.keys()
  }

  /** How many messages of a topic are parked in a lane. */
  parkedCount(lane: LaneIndex, topic: string): number {
    return this.#lanes[lane].parked.get(topic)?.length ?? 0
  }

  /** The first parked entry of a topic. */
  peekParked(lane: LaneIndex, topic: string): Entry | undefined {
    return this.#lanes[lane].parked.get(topic)?.peek()
  }

  /** Takes it. */
  takeParked(lane: LaneIndex, topic: string): Entry | undefined {
    const { parked } = this.#lanes[lane]
    const queue = parked.get(topic)
    const entry = queue?.shift()
    if (queue?.length === 0) parked.delete(topic)
    if (entry !== undefined) {
      this.#parked -= 1
      this.#parkedBytes -= entry.bytes
    }
    return entry
  }

  /** Drops the first parked message of the topic that has been parked longest. */
  dropParked(lane: LaneIndex, dropped: Dropped): boolean {
    for (const topic of this.#lanes[lane].parked.keys()) {
      return report(this.takeParked(lane, topic), dropped)
    }
    return false
  }

  /** Drops the first message that waits in the lane. */
  dropOldest(lane: LaneIndex, dropped: Dropped): boolean {
    return report(this.take(lane), dropped)
  }

  /** Drops everything in the lane, parked or not, that has expired or was withdrawn. */
  sweep(lane: LaneIndex, monotonicMs: number, dropped: Dropped): number {
    const { queue, parked } = this.#lanes[lane]
    const waiting = queue.sweep(monotonicMs)
    let { earliestMs } = waiting
    for (const entry of waiting.over) report(entry, dropped)
    for (const [topic, aside] of parked) {
      const swept = aside.sweep(monotonicMs)
      if (aside.length === 0) parked.delete(topic)
      this.#parked -= swept.over.length
      for (const entry of swept.over) {
        this.#parkedBytes -= entry.bytes
        report(entry, dropped)
      }
      earliestMs = Math.min(earliestMs, swept.earliestMs)
    }
    return earliestMs
  }

  /** Drops everything. */
  async close(
    dropped: (lane: LaneIndex, messages: number, bytes: number, entry: Entry | undefined) => void,
  ): Promise<void> {
    for (const lane of LANES) {
      const each: Dropped = (messages, bytes, entry) => dropped(lane, messages, bytes, entry)
      while (this.dropParked(lane, each) || this.dropOldest(lane, each));
    }
  }
}

function report(entry: Entry | undefined, dropped: Dropped): boolean {
  if (entry === undefined) return false
  dropped(1, entry.bytes, entry)
  return true
}
