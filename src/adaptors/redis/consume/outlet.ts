import type { Clock, Deliveries, Delivery, Headers, Position, Timer } from '../../../contract/index.ts'
import { AsyncQueue } from '../../../kit/async-queue.ts'
import { Ring } from '../../../kit/ring.ts'
import type { Stored } from './entries.ts'

/*
 * The stream of one subscription. At most `maxInWork` entries are offered to the reader: queued, or taken and unfinished. So what is taken
 * never exceeds it. What came beyond (COUNT of a read counts for each stream, and what was given back comes when its time is
 * there) waits behind the counter until there is room, and no more is read meanwhile.
 */

/** How many entries that were given back may wait for their time before no more are read. */
const MAX_GIVEN_BACK = 10_000

/** One entry in hand: read, and not finished. */
export interface Entry {
  /** The stream that it lies in. */
  readonly stream: string
  /** Its id there. */
  readonly id: string
  /** What it says. */
  readonly stored: Stored
  /** Whether it may have been handed out before. */
  redelivered: boolean
}

/** What an outlet tells its reader. */
export interface OutletWatcher {
  /** There is room, or there may be. */
  room(): void
  /** The work on an entry is done; also after the end. */
  finished(entry: Entry): void
  /** Whoever reads has left; it waits for this. */
  left(): Promise<void>
}

/** The stream of one subscription. */
export class Outlet {
  readonly #maxInWork: number
  readonly #clock: Clock
  readonly #watcher: OutletWatcher
  readonly #queue: AsyncQueue<Delivery>
  readonly #beyond = new Ring<Entry>()
  readonly #timers = new Set<Timer>()
  #offered = 0

  constructor(maxInWork: number, clock: Clock, watcher: OutletWatcher) {
    this.#maxInWork = Math.max(1, maxInWork)
    this.#clock = clock
    this.#watcher = watcher
    this.#queue = new AsyncQueue(() => {
      this.end()
      return watcher.left()
    })
  }

  /** What the caller of `subscribe()` gets. */
  get deliveries(): Deliveries {
    return this.#queue
  }

  /** How many more entries may come; 0 after the end. */
  get room(): number {
    if (this.#queue.ended || this.#timers.size >= MAX_GIVEN_BACK) return 0
    return Math.max(0, this.#maxInWork - this.#offered - this.#beyond.length)
  }

  /** Adds an entry. */
  push(entry: Entry): void {
    if (this.#queue.ended) return
    this.#beyond.push(entry)
    this.#offer()
  }

  /** Nothing is handed out any more. */
  end(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    this.#beyond.clear()
    this.#queue.drain()
    this.#queue.end()
  }

  /** A delivery is finished (`delayMs` undefined), or given back. */
  done(entry: Entry, delayMs: number | undefined): void {
    this.#offered -= 1
    if (delayMs === undefined) this.#watcher.finished(entry)
    if (this.#queue.ended) return
    if (delayMs !== undefined) this.#later(entry, delayMs)
    this.#offer()
    if (this.room > 0) this.#watcher.room()
  }

  #later(entry: Entry, delayMs: number): void {
    entry.redelivered = true
    const timer = this.#clock.after(Math.max(0, delayMs), () => {
      this.#timers.delete(timer)
      this.#beyond.unshift(entry)
      this.#offer()
      if (this.room > 0) this.#watcher.room()
    })
    this.#timers.add(timer)
  }

  #offer(): void {
    while (this.#offered < this.#maxInWork) {
      const entry = this.#beyond.shift()
      if (entry === undefined) return
      this.#offered += 1
      this.#queue.push(new RedisDelivery(this, entry))
    }
  }
}

/** One entry that is handed out. */
class RedisDelivery implements Delivery {
  readonly topic: string
  readonly payload: Uint8Array
  readonly key: string | undefined
  readonly headers: Headers | undefined
  readonly id: string | undefined
  readonly redelivered: boolean
  readonly retained = false
  readonly #outlet: Outlet
  readonly #entry: Entry
  #said = false

  constructor(outlet: Outlet, entry: Entry) {
    const { payload, key, headers, id } = entry.stored
    this.topic = entry.stream
    this.payload = payload
    this.key = key
    this.headers = headers
    this.id = id
    this.redelivered = entry.redelivered
    this.#outlet = outlet
    this.#entry = entry
  }

  get position(): Position {
    return { name: this.#entry.id, unique: true }
  }

  ack(): void {
    this.#say(undefined)
  }

  nack(delayMs = 0): void {
    this.#say(delayMs)
  }

  #say(delayMs: number | undefined): void {
    if (this.#said) return
    this.#said = true
    this.#outlet.done(this.#entry, delayMs)
  }
}
