import type { BackhaulError, Clock, DropReason } from '../contract/index.ts'
import { isPlausibleTime } from '../kit/plausible-clock.ts'
import type { Entry, LaneIndex } from './entry.ts'
import { dropReason } from './entry.ts'
import type { Ledger } from './ledger.ts'
import { Parking } from './parking.ts'
import { SequenceQueue } from './sequence-queue.ts'
import type { Dropped, Store } from './store.ts'
import { OrderingUnits } from './units.ts'

/** So many entries are moved out of the way in one go before others get their turn. */
const MAX_SKIPS = 256

/** The time by which messages expire: monotonic milliseconds, `-Infinity` while the wall clock was not set. */
export function expiryTime(clock: Clock): number {
  return isPlausibleTime(clock.now()) ? clock.monotonic() : -Infinity
}

/**
 * One priority class: what failed and goes out again, before what is parked and may go out, in turn with what waits in
 * the store. `peek()` moves out of the way what may not go out now: expired, withdrawn, of a refused topic, or behind another of its
 * ordering unit.
 */
export class Lane {
  readonly #index: LaneIndex
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #clock: Clock
  /** What failed, or had stood aside. It is never more than a window's worth. */
  readonly #front = new SequenceQueue()
  #units: OrderingUnits | undefined
  #source: 'front' | 'parked' | 'store' = 'store'
  #parkedFirst = false
  #interrupted = false
  /** Topics that are refused for now. */
  readonly parking: Parking

  /** Takes up what the store holds of this class. */
  constructor(index: LaneIndex, store: Store, ledger: Ledger, clock: Clock) {
    this.#index = index
    this.#store = store
    this.#ledger = ledger
    this.#clock = clock
    this.parking = new Parking(index, store)
  }

  /** A link is there. Without `keepsOrder`, one message of each ordering unit goes out at a time. */
  linkUp(keepsOrder: boolean): void {
    this.#units = keepsOrder ? undefined : new OrderingUnits()
    this.parking.linkUp(this.#clock.monotonic())
  }

  /** The link ended, and what was on its way has been put back. */
  linkDown(): void {
    for (const entry of this.#units?.clear() ?? []) this.#front.add(entry)
    this.#units = undefined
  }

  /** Whether `peek()` stopped early and wants to be called again in another turn. Asking clears it. */
  wasInterrupted(): boolean {
    const interrupted = this.#interrupted
    this.#interrupted = false
    return interrupted
  }

  /** The next entry that may go out, without taking it. */
  peek(): Entry | undefined {
    for (let skips = 0; skips < MAX_SKIPS; skips += 1) {
      const entry = this.#first()
      if (entry === undefined) return undefined
      if ((entry.expiry !== undefined || entry.ticket !== undefined) && this.#isOver(entry)) {
        this.#remove(entry)
        this.#drop(entry)
      } else if (this.#source !== 'parked' && this.parking.holds(entry.message.topic)) {
        this.#remove(entry)
        this.#store.park(entry)
        this.#endTurn(entry)
      } else if (this.#units?.mustWait(entry) === true) {
        if (!this.#units.hasRoom) return undefined
        this.#remove(entry)
        this.#units.setAside(entry)
      } else {
        return entry
      }
    }
    this.#interrupted = true
    return undefined
  }

  /** Takes what `peek()` shows, to hand it to the link. */
  take(entry: Entry): void {
    if (this.#source === 'parked') {
      this.parking.take(entry.message.topic)
      this.#parkedFirst = false
    } else {
      this.#remove(entry)
      this.#parkedFirst = true
    }
    this.#units?.begin(entry)
  }

  /** A message on its way failed: it goes out again before everything newer. */
  putBack(entry: Entry): void {
    this.#front.add(entry)
    if (this.parking.size > 0) this.parking.untried(entry.message.topic)
  }

  /** The broker has a message. */
  delivered(entry: Entry): void {
    if (this.parking.size > 0) this.parking.delivered(entry.message.topic)
    this.#endTurn(entry)
    this.#ledger.delivered(entry)
  }

  /** The broker refused a message for good. */
  dead(entry: Entry, error: BackhaulError): void {
    if (this.parking.size > 0) this.parking.untried(entry.message.topic)
    this.#endTurn(entry)
    this.#ledger.dead(entry, error)
  }

  /** The broker refused the topic of a message for now. */
  refused(entry: Entry, error: BackhaulError): void {
    this.parking.refuse(entry, error, this.#clock.monotonic())
    this.#endTurn(entry)
  }

  /** Makes room among what is parked: drops the oldest of the topic that was refused first. False when there is none. */
  dropParked(): boolean {
    return this.#store.dropParked(this.#index, this.#noteFull)
  }

  /** Makes room: drops the oldest that waits. False when there is none. */
  dropOne(): boolean {
    const entry = this.#front.shift()
    if (entry === undefined) return this.#store.dropOldest(this.#index, this.#noteFull)
    this.#endTurn(entry)
    this.#ledger.drop(entry, 'full')
    return true
  }

  /** Drops what has expired by now, or was withdrawn. Gives the earliest deadline left, `Infinity` for none. */
  sweep(monotonicMs: number): number {
    const { over, earliestMs } = this.#front.sweep(monotonicMs)
    for (const entry of over) this.#drop(entry)
    return Math.min(earliestMs, this.#store.sweep(this.#index, monotonicMs, this.#noteSwept))
  }

  /** Takes out everything that the lane holds itself, at the end. */
  empty(): Entry[] {
    const entries: Entry[] = []
    for (let entry = this.#front.shift(); entry !== undefined; entry = this.#front.shift())
      entries.push(entry)
    return entries
  }

  #first(): Entry | undefined {
    const failed = this.#front.peek()
    if (failed !== undefined) {
      this.#source = 'front'
      return failed
    }
    if (this.parking.size === 0) {
      this.#source = 'store'
      return this.#store.peek(this.#index)
    }
    return this.#parkedFirst
      ? (this.#firstParked() ?? this.#firstStored())
      : (this.#firstStored() ?? this.#firstParked())
  }

  #firstParked(): Entry | undefined {
    this.#source = 'parked'
    return this.parking.peek()
  }

  #firstStored(): Entry | undefined {
    this.#source = 'store'
    return this.#store.peek(this.#index)
  }

  #remove(entry: Entry): void {
    if (this.#source === 'store') this.#store.take(this.#index)
    else if (this.#source === 'front') this.#front.shift()
    else this.#store.takeParked(this.#index, entry.message.topic)
  }

  #drop(entry: Entry): void {
    this.#endTurn(entry)
    this.#ledger.drop(entry, reasonOf(entry))
  }

  /** The next of an ordering unit comes to the front, from where it stood aside. */
  #endTurn(entry: Entry): void {
    const next = this.#units?.end(entry)
    if (next !== undefined) this.#front.add(next)
  }

  #isOver(entry: Entry): boolean {
    return dropReason(entry, expiryTime(this.#clock)) !== undefined
  }

  readonly #noteFull: Dropped = (messages, bytes, entry) => {
    this.#ledger.noteDrop(this.#index, 'full', messages, bytes, entry)
  }

  readonly #noteSwept: Dropped = (messages, bytes, entry) => {
    this.#ledger.noteDrop(this.#index, reasonOf(entry), messages, bytes, entry)
  }
}

function reasonOf(entry: Entry | undefined): DropReason {
  return entry?.ticket?.withdrawn === true ? 'withdrawn' : 'expired'
}
