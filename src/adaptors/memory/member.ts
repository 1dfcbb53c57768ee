import type { Capabilities, Delivery, Headers } from '../../contract/index.ts'
import { AsyncQueue } from '../../kit/async-queue.ts'
import type { Entry, Queue } from './queue.ts'

/** Takes the word of a reader to the broker: `delayMs` is `undefined` for "done". */
export type Finish = (delivery: MemoryDelivery, delayMs: number | undefined) => void

/** One subscription of one link, as the broker sees it: what it was handed and has not finished. */
export class Member {
  /** The queues that it takes from: one, or one for each topic of a group. */
  readonly queues: readonly Queue[]
  /** What the reader iterates. */
  readonly stream: AsyncQueue<Delivery>
  readonly #capabilities: Capabilities
  readonly #maxInWork: number
  readonly #finish: Finish
  readonly #inWork = new Set<MemoryDelivery>()
  #left = false

  /** @param onReturn - called when the reader leaves the loop */
  constructor(
    queues: readonly Queue[],
    capabilities: Capabilities,
    maxInWork: number,
    finish: Finish,
    onReturn: () => Promise<void>,
  ) {
    this.queues = queues
    this.#capabilities = capabilities
    this.#maxInWork = maxInWork
    this.#finish = finish
    this.stream = new AsyncQueue(onReturn)
    for (const queue of queues) queue.members.push(this)
  }

  /** Whether it may be handed one more. */
  get hasRoom(): boolean {
    return this.#inWork.size < this.#maxInWork
  }

  /** Whether the reader has something that it has not finished. */
  get busy(): boolean {
    return this.#inWork.size > 0
  }

  /** Takes one from a queue. */
  hand(queue: Queue, entry: Entry): void {
    const delivery = new MemoryDelivery(queue, entry, this, this.#capabilities, this.#finish)
    this.#inWork.add(delivery)
    this.stream.push(delivery)
  }

  /** The reader's word has reached the broker. */
  finished(delivery: MemoryDelivery, delayMs: number | undefined): void {
    if (!this.#inWork.delete(delivery)) return
    if (delayMs === undefined) delivery.queue.done(delivery.entry)
    else delivery.queue.giveBack(delivery.entry, delayMs)
  }

  /** Takes no more. What nobody has read goes back; what is in work may still be finished. */
  leave(): void {
    if (this.#left) return
    this.#left = true
    this.stream.end()
    for (const queue of this.queues) queue.members.splice(queue.members.indexOf(this), 1)
    for (const unread of this.stream.drain()) {
      if (unread instanceof MemoryDelivery) this.finished(unread, 0)
    }
  }

  /** The link has ended: what is in work goes back, or is forgotten where the broker does not deliver twice. */
  end(redelivers: boolean): void {
    this.leave()
    for (const delivery of this.#inWork) this.finished(delivery, redelivers ? 0 : undefined)
  }
}

/** A message in the hands of a reader. */
export class MemoryDelivery implements Delivery {
  /** Where it came from. */
  readonly queue: Queue
  /** What the queue knows of it. */
  readonly entry: Entry
  /** Who was handed it. */
  readonly member: Member
  /** The topic that it was published to. */
  readonly topic: string
  /** The bytes as they were published. */
  readonly payload: Uint8Array
  /** The key, where it is carried. */
  readonly key: string | undefined
  /** The headers, where they are carried. */
  readonly headers: Headers | undefined
  /** The sender's id, where it is carried. */
  readonly id: string | undefined
  /** Messages have no place here. */
  readonly position = undefined
  /** True where it was handed out before. */
  readonly redelivered: boolean
  /** Never: nothing is kept for later subscriptions. */
  readonly retained = false
  readonly #finish: Finish
  #done = false

  /** @param capabilities - of the link, which tell what is carried */
  constructor(queue: Queue, entry: Entry, member: Member, capabilities: Capabilities, finish: Finish) {
    const { message } = entry
    this.queue = queue
    this.entry = entry
    this.member = member
    this.topic = message.topic
    this.payload = message.payload
    this.key = capabilities.carriesKey ? message.key : undefined
    this.headers = capabilities.carriesHeaders ? message.headers : undefined
    this.id = capabilities.carriesId ? message.id : undefined
    this.redelivered = entry.handedOut > 1
    this.#finish = finish
  }

  /** Says that the work is done. */
  ack(): void {
    if (this.#done) return
    this.#done = true
    this.#finish(this, undefined)
  }

  /** Gives it back, for after `delayMs` milliseconds. */
  nack(delayMs = 0): void {
    if (this.#done) return
    this.#done = true
    this.#finish(this, delayMs)
  }
}
