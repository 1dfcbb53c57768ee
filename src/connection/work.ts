import type { Delivery } from '../contract/index.ts'

/** One message of the broker while local subscribers have it in work. */
export class Work {
  /** Its delivery that came last: the broker wants its acknowledgement. */
  newest: Delivery
  /** Aborted when the link that `newest` came by is gone, and with it every way to acknowledge. */
  link: AbortSignal
  /** Earlier deliveries of the message by that same link: they want theirs too. */
  older: Delivery[] | undefined
  /** How many subscribers are not done with it. */
  open: number
  /** Whether a subscriber did the work, instead of giving it up. */
  done = false

  /** A message that goes to `open` subscribers. */
  constructor(delivery: Delivery, link: AbortSignal, open: number) {
    this.newest = delivery
    this.link = link
    this.open = open
  }

  /** Takes a repeat in: whoever works on the message goes on, and acknowledges this delivery. */
  join(delivery: Delivery, link: AbortSignal): void {
    if (this.link === link) {
      this.older ??= []
      this.older.push(this.newest)
    } else {
      this.older = undefined
    }
    this.newest = delivery
    this.link = link
  }

  /** Tells the broker that the message is done. */
  acknowledge(): void {
    this.#acknowledgeOlder()
    this.newest.ack()
  }

  /** Gives the message back to the broker, once. */
  handBack(): void {
    this.#acknowledgeOlder()
    this.newest.nack(0)
  }

  #acknowledgeOlder(): void {
    if (this.older === undefined) return
    for (const delivery of this.older) delivery.ack()
    this.older = undefined
  }
}
