import type { Clock, Deliveries, Delivery, Headers, Position, Timer } from '../../../contract/index.ts'
import type { Deferred } from '../../../kit/deferred.ts'
import { deferred } from '../../../kit/deferred.ts'
import { Ring } from '../../../kit/ring.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { ID_HEADER } from '../produce/record-batch.ts'
import type { Stored } from './record-reader.ts'

/*
 * The stream of one subscription: what was fetched waits here, at most `maxInWork` are handed out and unfinished. What was given back
 * waits for its time beside the others and holds none of them up; its partition is not confirmed beyond it.
 *
 * States: open; paused (a group is changing: nothing is handed out); ended (nothing is handed out any more).
 */

/** One message that was fetched, from then until it is finished. */
export interface Item {
  /** Where it lies. */
  readonly partition: AssignedPartition
  /** Its offset there. */
  readonly offset: number
  /** The message; `undefined` once it is finished, since it may wait long for those before it. */
  stored: Stored | undefined
  /** How many bytes it holds while it waits here. */
  readonly bytes: number
  /** Whether it may have been handed out before. */
  redelivered: boolean
  /** Whether the work is done. */
  finished: boolean
}

/** Who waits until nothing is in work. */
interface Waiter {
  readonly partitions: readonly AssignedPartition[] | undefined
  readonly over: Deferred<void>
}

/** The stream of one subscription. */
export class Outlet implements Deliveries {
  readonly #maxInWork: number
  readonly #clock: Clock
  readonly #onRoom: () => void
  readonly #onLeave: () => Promise<void>
  readonly #lag: () => number | undefined
  readonly #waiting = new Ring<Item>()
  readonly #takers = new Ring<Deferred<IteratorResult<Delivery, undefined>>>()
  readonly #timers = new Set<Timer>()
  readonly #quiet = new Set<Waiter>()
  #bytes = 0
  #inWork = 0
  #paused = false
  #toldLater = false
  #ended = false

  /**
   * @param onRoom - called when something was taken or finished
   * @param onLeave - called when the reader leaves before the end; `return()` waits for it
   * @param lag - how many messages of its partitions are not finished
   */
  constructor(
    maxInWork: number,
    clock: Clock,
    onRoom: () => void,
    onLeave: () => Promise<void>,
    lag: () => number | undefined,
  ) {
    this.#lag = lag
    this.#maxInWork = Math.max(1, maxInWork)
    this.#clock = clock
    this.#onRoom = onRoom
    this.#onLeave = onLeave
  }

  /** See {@link Deliveries.lag}. */
  get lag(): number | undefined {
    return this.#ended ? undefined : this.#lag()
  }

  /** How many bytes wait to be handed out. */
  get bytes(): number {
    return this.#bytes
  }

  /** How many deliveries are handed out and unfinished. */
  get inWork(): number {
    return this.#inWork
  }

  /** How many were given back and wait for their time. */
  get givenBack(): number {
    return this.#timers.size
  }

  /** Whether a reader waits, or could have more. */
  get hungry(): boolean {
    return !this.#ended && this.#waiting.length < this.#maxInWork
  }

  /** Adds a message that was fetched. */
  push(item: Item): void {
    if (this.#ended) return
    this.#waiting.push(item)
    this.#bytes += item.bytes
    this.#hand()
  }

  /** On: nothing is handed out. */
  pause(on: boolean): void {
    this.#paused = on
    this.#hand()
  }

  /** Resolves when nothing of some partitions is in work; of all, where none is named. */
  quiet(partitions?: readonly AssignedPartition[]): Promise<void> {
    const waiter: Waiter = { partitions, over: deferred() }
    this.#quiet.add(waiter)
    this.#tellQuiet()
    return waiter.over.promise
  }

  /** Nothing is handed out any more. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    this.#waiting.clear()
    this.#bytes = 0
    for (const { over } of this.#quiet) over.resolve()
    this.#quiet.clear()
    for (let taker = this.#takers.shift(); taker !== undefined; taker = this.#takers.shift()) {
      taker.resolve({ done: true, value: undefined })
    }
  }

  /** The next delivery, as soon as there is one and it may be in work. */
  next(): Promise<IteratorResult<Delivery, undefined>> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    const value = this.#takers.length === 0 ? this.#take() : undefined
    if (value !== undefined) return Promise.resolve({ done: false, value })
    const taker = deferred<IteratorResult<Delivery, undefined>>()
    this.#takers.push(taker)
    return taker.promise
  }

  /** The reader leaves. */
  async return(): Promise<IteratorResult<Delivery, undefined>> {
    if (!this.#ended) {
      this.end()
      await this.#onLeave()
    }
    return { done: true, value: undefined }
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this
  }

  /** A delivery is finished (`delayMs` undefined), or given back. */
  done(item: Item, delayMs: number | undefined): void {
    this.#inWork -= 1
    item.partition.inWork -= 1
    if (this.#quiet.size > 0) this.#tellQuiet()
    if (this.#ended || !item.partition.active) return
    if (delayMs === undefined) {
      item.finished = true
      item.stored = undefined
      item.partition.advance()
    } else {
      item.redelivered = true
      this.#later(item, delayMs)
    }
    this.#hand()
    this.#tellLater()
  }

  #tellQuiet(): void {
    for (const waiter of this.#quiet) {
      const { partitions, over } = waiter
      if (partitions === undefined ? this.#inWork > 0 : partitions.some(({ inWork }) => inWork > 0)) continue
      this.#quiet.delete(waiter)
      over.resolve()
    }
  }

  #later(item: Item, delayMs: number): void {
    const timer = this.#clock.after(Math.max(0, delayMs), () => {
      this.#timers.delete(timer)
      if (this.#ended || !item.partition.active) return
      this.#waiting.unshift(item)
      this.#bytes += item.bytes
      this.#hand()
    })
    this.#timers.add(timer)
  }

  /** Hands out what may be handed out to those who wait. */
  #hand(): void {
    while (this.#takers.length > 0) {
      const value = this.#take()
      if (value === undefined) break
      this.#takers.shift()?.resolve({ done: false, value })
    }
  }

  /** Takes what may be handed out next. */
  #take(): Delivery | undefined {
    while (this.#inWork < this.#maxInWork && !this.#paused && !this.#ended) {
      const item = this.#waiting.shift()
      this.#tellLater()
      if (item === undefined) return undefined
      this.#bytes -= item.bytes
      if (!item.partition.active || item.partition.leaving || item.stored === undefined) continue
      this.#inWork += 1
      item.partition.inWork += 1
      return new KafkaDelivery(this, item, item.stored)
    }
    return undefined
  }

  /** Tells once a turn that something was taken or finished: whoever is told looks at every partition. */
  #tellLater(): void {
    if (this.#toldLater) return
    this.#toldLater = true
    setImmediate(() => {
      this.#toldLater = false
      if (!this.#ended) this.#onRoom()
    })
  }
}

/** One message that was handed out. */
class KafkaDelivery implements Delivery {
  readonly topic: string
  readonly payload: Uint8Array
  readonly key: string | undefined
  readonly headers: Headers | undefined
  readonly id: string | undefined
  readonly redelivered: boolean
  readonly retained = false
  readonly #outlet: Outlet
  readonly #item: Item
  readonly #batchTime: number
  #said = false

  constructor(outlet: Outlet, item: Item, stored: Stored) {
    const { partition, redelivered } = item
    const { id, headers } = readHeaders(stored.headers)
    this.topic = partition.topic
    this.payload = stored.value
    this.key = stored.key?.toString()
    this.headers = headers
    this.id = id
    this.redelivered = redelivered
    this.#outlet = outlet
    this.#item = item
    this.#batchTime = stored.batchTime
  }

  get position(): Position {
    const { partition, offset } = this.#item
    return { name: `${partition.index}/${offset}/${this.#batchTime}`, unique: true }
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
    this.#outlet.done(this.#item, delayMs)
  }
}

function readHeaders(parts: readonly Buffer[]): { id: string | undefined; headers: Headers | undefined } {
  let id: string | undefined
  const pairs: [string, string][] = []
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const name = parts[at]?.toString() ?? ''
    const value = parts[at + 1]?.toString() ?? ''
    if (name === ID_HEADER && id === undefined) id = value
    else pairs.push([name, value])
  }
  const [first] = pairs
  if (first === undefined) return { id, headers: undefined }
  // of one name, the first counts
  if (pairs.length > 1) return { id, headers: Object.fromEntries(pairs.toReversed()) }
  const [name, value] = first
  return { id, headers: { [name]: value } }
}
