import type { Clock } from '../contract/index.ts'
import type { Entry, LaneIndex } from './entry.ts'
import { Lane } from './lane.ts'
import type { Ledger } from './ledger.ts'
import type { ParkedTopic } from './parking.ts'
import type { Store } from './store.ts'

/** How many messages of each class go out in one round while all have some: none ever starves another. */
const WEIGHTS: readonly [number, number, number] = [16, 4, 1]

/** The three priority classes and the weighted round between them. */
export class Lanes {
  readonly #lanes: readonly [Lane, Lane, Lane]
  #current: LaneIndex = 0
  #left = WEIGHTS[0]

  /** Makes the classes over a store. */
  constructor(store: Store, ledger: Ledger, clock: Clock) {
    this.#lanes = [
      new Lane(0, store, ledger, clock),
      new Lane(1, store, ledger, clock),
      new Lane(2, store, ledger, clock),
    ]
  }

  /** The class of an entry. */
  of(entry: Entry): Lane {
    return this.#lanes[entry.lane]
  }

  /** The next entry that may go out, without taking it. */
  peek(): Entry | undefined {
    // once round, and back to the class that had begun
    for (let turns = 0; turns <= this.#lanes.length; turns += 1) {
      if (this.#left > 0) {
        const entry = this.#lanes[this.#current].peek()
        if (entry !== undefined) return entry
      }
      this.#current = after(this.#current)
      this.#left = WEIGHTS[this.#current]
    }
    return undefined
  }

  /** Takes what `peek()` shows. */
  take(entry: Entry): void {
    this.#left -= 1
    this.#lanes[entry.lane].take(entry)
  }

  /** Whether some class wants to be looked at again in another turn. */
  wasInterrupted(): boolean {
    let interrupted = false
    for (const lane of this.#lanes) interrupted = lane.wasInterrupted() || interrupted
    return interrupted
  }

  /** A link is there. */
  linkUp(keepsOrder: boolean): void {
    for (const lane of this.#lanes) lane.linkUp(keepsOrder)
  }

  /** The link ended, and what was on its way has been put back. */
  linkDown(): void {
    for (const lane of this.#lanes) lane.linkDown()
  }

  /** Whether any topic is refused. */
  get refusesTopics(): boolean {
    return this.#lanes.some((lane) => lane.parking.size > 0)
  }

  /** Tries the refused topics again. */
  retryParked(): void {
    for (const lane of this.#lanes) lane.parking.retry()
  }

  /** The refused topics, for health and status. */
  parkedTopics(): ParkedTopic[] {
    return this.#lanes.flatMap((lane) => [...lane.parking.list()])
  }

  /** Makes room among what is parked, by the same rule. */
  dropParked(index: LaneIndex): boolean {
    if (this.#lanes[2].dropParked()) return true
    if (index <= 1 && this.#lanes[1].dropParked()) return true
    return index === 0 && this.#lanes[0].dropParked()
  }

  /** Makes room for a message of class `index`: from the least urgent class, never from a more urgent one. */
  dropOne(index: LaneIndex): boolean {
    if (this.#lanes[2].dropOne()) return true
    if (index <= 1 && this.#lanes[1].dropOne()) return true
    return index === 0 && this.#lanes[0].dropOne()
  }

  /** Drops what has expired by now, or was withdrawn. Gives the earliest deadline left, `Infinity` for none. */
  sweep(monotonicMs: number): number {
    return Math.min(...this.#lanes.map((lane) => lane.sweep(monotonicMs)))
  }

  /** Takes out everything that the classes hold themselves, at the end. */
  empty(): Entry[] {
    return this.#lanes.flatMap((lane) => lane.empty())
  }
}

function after(lane: LaneIndex): LaneIndex {
  return lane === 0 ? 1 : lane === 1 ? 2 : 0
}
