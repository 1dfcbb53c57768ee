import type { Delivery } from '../contract/index.ts'

/** One delivery as a local subscriber has it. Finish it with `ack()` or `nack()`. */
export interface ReceivedDelivery extends Delivery {
  /**
   * Gives the delivery back: this subscriber, and no other, gets it again after `delayMs` milliseconds, on top of all
   * others, until `maxDeliveries` are reached.
   *
   * @param reason - why, for `onGaveUp`
   */
  nack(delayMs?: number, reason?: unknown): void
}

/** How a subscription is made. */
export interface SubscriptionOptions {
  /** Members of one group share the messages between them. @default each subscription gets all */
  readonly group?: string | undefined
  /**
   * How many deliveries this subscriber may have unfinished at once, read or not. Then nothing is read from the broker
   * for these topics until one is finished. @default 100
   */
  readonly maxInWork?: number | undefined
  /** How often this subscriber is given one delivery at most. @default 5 */
  readonly maxDeliveries?: number | undefined
  /** How long a delivery that was given back without a delay waits, in milliseconds. @default 1000 */
  readonly redeliveryDelayMs?: number | undefined
  /**
   * Takes a delivery that was given back for the last time, for example into a dead-letter log. It counts as done once
   * this has returned; should it throw, the delivery comes again.
   */
  readonly onGaveUp?: ((delivery: Delivery, reason: unknown) => void | Promise<void>) | undefined
}

/**
 * The deliveries of some topics, over every reconnect. Several readers may share it: each delivery goes to one.
 *
 * It ends without an error by `unsubscribe()`, `stop()`, its signal, and the end of the connection; with one when the
 * broker no longer grants the topics on a new link (`NOT_AUTHORIZED`, ...): then what came before is read first.
 */
export interface Subscription extends AsyncIterableIterator<ReceivedDelivery, undefined>, AsyncDisposable {
  /**
   * How many messages wait for the topics: at the broker, and here unfinished. `undefined` while there is no link, and where the protocol
   * does not tell (Kafka does).
   */
  readonly lag: number | undefined
  /** The next delivery; waits for it. */
  next(): Promise<IteratorResult<ReceivedDelivery, undefined>>
  /** As `unsubscribe()`: what leaving a loop calls. */
  return(): Promise<IteratorResult<ReceivedDelivery, undefined>>
  /**
   * Hands nothing more out: `next()` tells the end. What was handed out can still be finished; `unsubscribe()` leaves
   * then, or the connection is closed, and the broker keeps what is unfinished.
   */
  stop(): void
  /**
   * Leaves. What is unfinished is given up: other local subscribers go on with it, without them it goes back to the
   * broker. The last local subscriber ends the subscription at the broker; then this waits for it, 6 s at most.
   * Twice is fine; never rejects.
   */
  unsubscribe(): Promise<void>
}
