import type { BackhaulError } from '../../src/contract/index.ts'
import type { Deferred } from '../../src/kit/deferred.ts'
import { deferred } from '../../src/kit/deferred.ts'
import type { Entry, LaneIndex } from '../../src/outbox/entry.ts'
import { MemoryStore } from '../../src/outbox/memory-store.ts'
import type { Dropped, Ending, Store, StoreEvents } from '../../src/outbox/store.ts'

/** How many entries of a lane one read brings. */
const READ = 3

/**
 * Behaves like a store on disk: what was appended is safe after the next `tick()`, and can be taken only then, a few at a
 * time. It may run out of room.
 */
export class SlowStore implements Store {
  readonly durable = true
  readonly opening
  /** Whether the disk is full. */
  full = false
  /** Ids that ended, with how. */
  readonly endings: [id: string, ending: Ending, code: string | undefined][] = []
  readonly #inner = new MemoryStore()
  readonly #readable: Record<LaneIndex, number> = { 0: 0, 1: 0, 2: 0 }
  readonly #sequence: Record<LaneIndex, number> = { 0: 0, 1: 0, 2: 0 }
  #unsafe: Entry[] = []
  #commit: Deferred<void> | undefined
  #events: StoreEvents | undefined

  constructor(opening = new MemoryStore().opening) {
    this.opening = opening
  }

  get parked(): number {
    return this.#inner.parked
  }

  get parkedBytes(): number {
    return this.#inner.parkedBytes
  }

  attach(events: StoreEvents): void {
    this.#events = events
  }

  hasRoom(): boolean {
    return !this.full
  }

  append(entry: Entry): void {
    this.#sequence[entry.lane] += 1
    entry.sequence = this.#sequence[entry.lane]
    this.#unsafe.push(entry)
  }

  safe(): Promise<void> | undefined {
    if (this.#unsafe.length === 0) return undefined
    this.#commit ??= deferred()
    return this.#commit.promise
  }

  /** The disk has done its work. */
  tick(): void {
    this.#flush()
    this.#commit?.resolve()
    this.#commit = undefined
    for (const lane of [0, 1, 2] as const) this.#readable[lane] = READ
    this.#events?.changed()
  }

  /** The disk could not write what was appended last. */
  fail(error: BackhaulError): void {
    const lost = this.#unsafe
    this.#unsafe = []
    this.#commit?.reject(error)
    this.#commit = undefined
    const bytes = lost.reduce((sum, entry) => sum + entry.bytes, 0)
    this.#events?.neverSafe(lost.length, bytes)
  }

  /** A segment became too old: it drops everything of a lane by itself. */
  dropLane(lane: LaneIndex): void {
    const drop: Dropped = (messages, bytes, entry) =>
      this.#events?.dropped(lane, 'expired', messages, bytes, entry)
    while (this.#inner.dropOldest(lane, drop));
  }

  peek(lane: LaneIndex): Entry | undefined {
    return this.#readable[lane] > 0 ? this.#inner.peek(lane) : undefined
  }

  take(lane: LaneIndex): Entry | undefined {
    this.#readable[lane] -= 1
    return this.#inner.take(lane)
  }

  remove(entry: Entry, ending: Ending, error?: BackhaulError): void {
    this.endings.push([entry.message.id, ending, error?.code])
  }

  note(): void {
    // nothing to do
  }

  park(entry: Entry): void {
    this.#inner.park(entry)
  }

  parkedTopics(lane: LaneIndex): Iterable<string> {
    return this.#inner.parkedTopics(lane)
  }

  parkedCount(lane: LaneIndex, topic: string): number {
    return this.#inner.parkedCount(lane, topic)
  }

  peekParked(lane: LaneIndex, topic: string): Entry | undefined {
    return this.#readable[lane] > 0 ? this.#inner.peekParked(lane, topic) : undefined
  }

  takeParked(lane: LaneIndex, topic: string): Entry | undefined {
    this.#readable[lane] -= 1
    return this.#inner.takeParked(lane, topic)
  }

  dropParked(lane: LaneIndex, dropped: Dropped): boolean {
    return this.#inner.dropParked(lane, dropped)
  }

  dropOldest(lane: LaneIndex, dropped: Dropped): boolean {
    return this.#inner.dropOldest(lane, dropped)
  }

  sweep(lane: LaneIndex, monotonicMs: number, dropped: Dropped): number {
    return this.#inner.sweep(lane, monotonicMs, dropped)
  }

  async close(
    dropped: (lane: LaneIndex, messages: number, bytes: number, entry: Entry | undefined) => void,
  ): Promise<void> {
    this.tick()
    await this.#inner.close((lane, _messages, _bytes, entry) => dropped(lane, 0, 0, entry))
  }

  #flush(): void {
    for (const entry of this.#unsafe) this.#inner.append(entry)
    this.#unsafe = []
  }
}
