import type { Clock, Deliveries, Delivery, Headers, Position, Timer } from '../../../contract/index.ts'
import { Ring } from '../../../kit/ring.ts'
import type { InboundPublish } from './decode-publish.ts'
import type { Receipt } from './receipts.ts'

/** What a reader tells the session. */
export interface ReaderHost {
  /** Time, for deliveries that come again later. */
  readonly clock: Clock
  /** A delivery is finished for this reader. */
  finished(receipt: Receipt | undefined): void
  /** A delivery is given back to a reader that has left. */
  abandoned(reader: Reader, receipt: Receipt | undefined): void
  /** `count` messages of `bytes` bytes more (or less) wait for this session's readers. */
  queued(count: number, bytes: number, qos: number): void
  /** The reader leaves: resolves once the broker knows. */
  leave(reader: Reader): Promise<void>
}

/** A delivery in one reader's hands: open until `ack()` or `nack()`. */
class MqttDelivery implements Delivery {
  readonly topic: string
  readonly payload: Uint8Array
  readonly key: string | undefined
  readonly headers: Headers | undefined
  readonly id: string | undefined
  readonly redelivered: boolean
  readonly retained: boolean
  readonly publish: InboundPublish
  readonly receipt: Receipt | undefined
  readonly #reader: Reader
  #open = true

  constructor(reader: Reader, publish: InboundPublish, receipt: Receipt | undefined, redelivered: boolean) {
    this.topic = publish.topic
    this.payload = publish.payload
    this.key = publish.key
    this.headers = publish.headers
    this.id = publish.id
    this.redelivered = redelivered
    this.retained = publish.retain
    this.publish = publish
    this.receipt = receipt
    this.#reader = reader
  }

  get position(): Position | undefined {
    const { qos, packetId } = this.publish
    return qos === 0 ? undefined : { name: String(packetId), unique: false }
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
 * One subscription's queue. At most `maxInWork` of its deliveries are handed out and unfinished at once.
 *
 * States: open; ended (what is queued is still handed out where that was wished, then `done`).
 * MQTT has no word for "give it to me again": what is given back waits here, unacknowledged.
 */
export class Reader implements Deliveries {
  /** Whether it shares its messages with others: those that it leaves unread are theirs. */
  readonly shared: boolean
  /** Called once when no more will come. */
  onEnd: (() => void) | undefined
  readonly #host: ReaderHost
  readonly #maxInWork: number
  readonly #queue = new Ring<MqttDelivery>()
  readonly #takers = new Ring<Taker>()
  readonly #delayed = new Map<MqttDelivery, Timer>()
  #inWork = 0
  #ended = false
  #left: Promise<void> | undefined

  constructor(host: ReaderHost, options: { maxInWork: number; shared: boolean }) {
    this.#host = host
    this.#maxInWork = options.maxInWork
    this.shared = options.shared
  }

  /** Takes a message from the broker. */
  take(publish: InboundPublish, receipt: Receipt | undefined): void {
    this.#host.queued(1, publish.payload.length, publish.qos)
    this.#queue.push(new MqttDelivery(this, publish, receipt, publish.dup))
    this.#serve()
  }

  /** The next delivery, once there is one and fewer than `maxInWork` are in work. */
  next(): Promise<IteratorResult<Delivery, undefined>> {
    const delivery = this.#takers.length === 0 ? this.#shift() : undefined
    if (delivery !== undefined) return Promise.resolve({ done: false, value: delivery })
    if (this.#isDone()) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.#takers.push(resolve))
  }

  /** Ends the subscription at the broker. */
  async return(): Promise<IteratorResult<Delivery, undefined>> {
    this.#left ??= this.#host.leave(this)
    await this.#left
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** No more will come. `keepQueue`: what is queued can still be taken. Gives the receipts of what nobody will see. */
  end(keepQueue: boolean): (Receipt | undefined)[] {
    const dropped: (Receipt | undefined)[] = []
    this.#ended = true
    this.onEnd?.()
    this.onEnd = undefined
    for (const [delivery, timer] of this.#delayed) {
      timer.cancel()
      this.#unqueue(delivery)
      dropped.push(delivery.receipt)
    }
    this.#delayed.clear()
    const left = keepQueue ? 0 : this.#queue.length
    for (let count = 0; count < left; count += 1) {
      const delivery = this.#queue.shift()
      if (delivery === undefined) break
      this.#unqueue(delivery)
      dropped.push(delivery.receipt)
    }
    this.#serve()
    return dropped
  }

  /** For the delivery: its work is done. */
  acknowledge(delivery: MqttDelivery): void {
    this.#inWork -= 1
    this.#host.finished(delivery.receipt)
    this.#serve()
  }

  /** For the delivery: it comes again after `delayMs`. */
  giveBack(delivery: MqttDelivery, delayMs: number): void {
    this.#inWork -= 1
    if (this.#ended) {
      this.#host.abandoned(this, delivery.receipt)
    } else {
      const again = new MqttDelivery(this, delivery.publish, delivery.receipt, true)
      this.#host.queued(1, again.payload.length, again.publish.qos)
      const timer = this.#host.clock.after(Math.max(0, delayMs), () => {
        this.#delayed.delete(again)
        this.#queue.unshift(again)
        this.#serve()
      })
      this.#delayed.set(again, timer)
    }
    this.#serve()
  }

  #serve(): void {
    while (this.#takers.length > 0) {
      const delivery = this.#shift()
      if (delivery !== undefined) this.#takers.shift()?.({ done: false, value: delivery })
      else if (this.#isDone()) this.#takers.shift()?.({ done: true, value: undefined })
      else return
    }
  }

  #shift(): MqttDelivery | undefined {
    if (this.#inWork >= this.#maxInWork) return undefined
    const delivery = this.#queue.shift()
    if (delivery === undefined) return undefined
    this.#inWork += 1
    this.#unqueue(delivery)
    return delivery
  }

  #isDone(): boolean {
    return this.#ended && this.#queue.length === 0
  }

  #unqueue(delivery: MqttDelivery): void {
    this.#host.queued(-1, -delivery.payload.length, delivery.publish.qos)
  }
}
