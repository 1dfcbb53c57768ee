import type { Headers } from './message.ts'

/** How a broker itself names a message. */
export interface Position {
  /** The name, among the messages of its topic on this connection. */
  readonly name: string
  /**
   * True: no other message is ever named so, as by an offset. False: the name is given again once the message is finished, as
   * a packet id; then two deliveries are one message only where the later one is marked as redelivered.
   */
  readonly unique: boolean
}

/**
 * One message that came from a broker.
 *
 * It stays the broker's until `ack()`: when the link or the process ends first, it is delivered again
 * (where the capabilities say `redelivers`).
 */
export interface Delivery {
  /** The topic that it was published to, never the pattern that matched. */
  readonly topic: string
  /** The bytes exactly as they were published. Valid for as long as the caller keeps them. */
  readonly payload: Uint8Array
  /** The key, where the protocol carries one. */
  readonly key: string | undefined
  /** Application headers, where the protocol carries them. */
  readonly headers: Headers | undefined
  /** The sender's message id, where the protocol carries it: de-duplicate by it. */
  readonly id: string | undefined
  /** The broker's name for it, where it has one: tells a message that comes again from another with the same bytes. */
  readonly position: Position | undefined
  /** True where this message may have been delivered before. */
  readonly redelivered: boolean
  /** True where the broker had kept it and gave it to a new subscription (MQTT retain). */
  readonly retained: boolean
  /**
   * Says that the work is done. Never waits; twice is fine; on a dead link it does nothing.
   * Deliveries may be finished in any order: a broker that confirms in order gets the finished prefix.
   */
  ack(): void
  /**
   * Gives the delivery back: it comes again after at least `delayMs` milliseconds (on this subscription or another
   * of its group), marked as redelivered. After `ack()` or an earlier `nack()` it does nothing.
   */
  nack(delayMs?: number): void
}
