import type { Clock, Deliveries, Delivery, Headers, Timer } from '../../../contract/index.ts'
import { Ring } from '../../../kit/ring.ts'
import type { Delivered } from '../session/channel.ts'

/** What a reader tells its subscription. */
export interface ReaderHost {
  /** The work on a delivery is done. */
  acknowledge(tag: number): void
  /** The reader leaves: resolves once the broker knows. */
  leave(): Promise<void>
}

/** A delivery in a reader's hands: open until `ack()` or `nack()`. */
class AmqpDelivery implements Delivery {
  readonly topic: string
  readonly payload: Uint8Array
  readonly key: string | undefined
  readonly headers: Headers | undefined
  readonly id: string | undefined
  /** A tag is given anew each time that a message comes: it names none. */
  readonly position = undefined
  readonly redelivered: boolean
  readonly retained = false
  readonly arrived: Delivered
  readonly #reader: Reader
  #open = true

  constructor(reader: Reader, arrived: Delivered, redelivered: boolean) {
    this.topic = arrived.topic
    this.payload = arrived.payload
    this.key = arrived.key
    this.headers = arrived.headers
    this.id = arrived.id
    this.redelivered = redelivered
    this.arrived = arrived
    this.#reader = reader
  }

  ack(): void {
    if (!this.#open) return
    this.#open = false
    this.#reader.acknowledge(this)
  }

  nack(delayMs = 0): void {
    if (!this.#open) return
    this.#open = false
    this.#reader.giveBack(this, delayMs)
  }
}

type Taker = (result: IteratorResult<Delivery, undefined>) => void

/**
 * One subscription's queue. At most `maxInWork` of its deliveries are handed out and unfinished at once. What is given back waits
 * here, unacknowledged, since a broker would hand it out again at once.
 *
 * States: open; ended (nothing is handed out any more: what is unacknowledged is the broker's again).
 */
export class Reader implements Deliveries {
  readonly #host: ReaderHost
  readonly #clock: Clock
  readonly #maxInWork: number
  readonly #queue = new Ring<AmqpDelivery>()
  readonly #takers = new Ring<Taker>()
  readonly #delayed = new Set<Timer>()
  #inWork = 0
  #ended = false
  #left: Promise<void> | undefined

  constructor(host: ReaderHost, clock: Clock, maxInWork: number) {
    this.#host = host
    this.#clock = clock
    this.#maxInWork = maxInWork
  }

  /** Takes a message from the broker. */
  take(arrived: Delivered): void {
    if (this.#ended) return
    this.#queue.push(new AmqpDelivery(this, arrived, arrived.redelivered))
    this.#serve()
  }

  /** The next delivery, once there is one and fewer than `maxInWork` are in work. */
  next(): Promise<IteratorResult<Delivery, undefined>> {
    const delivery = this.#takers.length === 0 ? this.#shift() : undefined
    if (delivery !== undefined) return Promise.resolve({ done: false, value: delivery })
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.#takers.push(resolve))
  }

  /** Ends the subscription at the broker. */
  async return(): Promise<IteratorResult<Delivery, undefined>> {
    this.end()
    this.#left ??= this.#host.leave()
    await this.#left
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** No more will come. Twice is fine. */
  end(): void {
    this.#ended = true
    for (const timer of this.#delayed) timer.cancel()
    this.#delayed.clear()
    this.#queue.clear()
    for (let taker = this.#takers.shift(); taker !== undefined; taker = this.#takers.shift()) {
      taker({ done: true, value: undefined })
    }
  }

  /** For the delivery: its work is done. */
  acknowledge(delivery: AmqpDelivery): void {
    this.#inWork -= 1
    this.#host.acknowledge(delivery.arrived.tag)
    this.#serve()
  }

  /** For the delivery: it comes again after `delayMs`. */
  giveBack(delivery: AmqpDelivery, delayMs: number): void {
    this.#inWork -= 1
    if (this.#ended) return
    const timer = this.#clock.after(Math.max(0, delayMs), () => {
      this.#delayed.delete(timer)
      this.#queue.unshift(new AmqpDelivery(this, delivery.arrived, true))
      this.#serve()
    })
    this.#delayed.add(timer)
    this.#serve()
  }

  #serve(): void {
    while (this.#takers.length > 0) {
      const value = this.#shift()
      if (value === undefined) return
      this.#takers.shift()?.({ done: false, value })
    }
  }

  #shift(): AmqpDelivery | undefined {
    if (this.#ended || this.#inWork >= this.#maxInWork) return undefined
    const delivery = this.#queue.shift()
    if (delivery !== undefined) this.#inWork += 1
    return delivery
  }
}
