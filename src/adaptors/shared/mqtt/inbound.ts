import type { Clock, Timer } from '../../../contract/index.ts'
import { Ring } from '../../../kit/ring.ts'
import type { InboundPublish } from './decode-publish.ts'
import type { Output } from './output.ts'
import type { Reader, ReaderHost } from './reader.ts'
import type { Receipt } from './receipts.ts'
import { Receipts } from './receipts.ts'
import type { SessionFacts } from './settings.ts'
import { Subscriptions } from './subscriptions.ts'

/*
 * Messages from the broker, from the packet to a reader's queue and back to the acknowledgement.
 *
 * What bounds memory:
 * - QoS 1 and 2: our Receive Maximum. The socket is not paused for them, since that would stop the broker's PUBACKs too,
 *   and a handler that waits for its own publish would wait for ever. Brokers do not always keep to it (Mosquitto 2.0.11
 *   sends a backlog without regard to it), and MQTT 3.1.1 has none. Ending the link for that would bring the same backlog
 *   again, for ever; so the socket is paused, but only when MAX_UNFINISHED are unacknowledged.
 * - QoS 0: nothing but TCP. When as many as the Receive Maximum wait for readers, the socket is paused until half of them are taken.
 * - Whatever the kind: when more than MAX_BYTES wait, the socket is paused as well. A handler that waits for its own publish
 *   then depends on others being read, or on the publish deadline.
 *
 * A resumed session starts with what the broker had stored, often before anybody has subscribed. In its first HOLD_MS, a message
 * that nobody asked for is held for a subscription to come. Then what is left is given up (acknowledged and dropped), and so is
 * whatever comes later: it belongs to a subscription that this program no longer makes, and must not take the places of others.
 * QoS 0 is held only while there is room: it never pauses the socket.
 */

const MAX_BYTES = 67_108_864
const MAX_UNFINISHED = 32_768
const HOLD_MS = 30_000

interface Held {
  readonly publish: InboundPublish
  readonly receipt: Receipt | undefined
}

/** The receiving half of a session. */
export class Inbound implements ReaderHost {
  /** Time. */
  readonly clock: Clock
  /** Who gets what. */
  readonly subscriptions: Subscriptions
  readonly #receipts: Receipts
  readonly #maxQueued: number
  readonly #onPause: (paused: boolean) => void
  readonly #leave: (reader: Reader) => Promise<void>
  readonly #held = new Ring<Held>()
  /** Runs while unwanted messages are held. */
  #holdTimer: Timer | undefined
  #queuedQos0 = 0
  #queuedBytes = 0
  #paused = false
  #ended = false

  constructor(
    output: Output,
    facts: SessionFacts,
    options: {
      receiveMaximum: number
      clock: Clock
      onPause: (paused: boolean) => void
      leave: (reader: Reader) => Promise<void>
    },
  ) {
    this.clock = options.clock
    this.subscriptions = new Subscriptions(!facts.resumed)
    this.#receipts = new Receipts(output)
    this.#maxQueued = options.receiveMaximum
    this.#onPause = options.onPause
    if (facts.resumed) this.#holdTimer = this.clock.after(HOLD_MS, () => this.#giveUp(), true)
    this.#leave = options.leave
  }

  /** Takes a message from the broker. */
  take(publish: InboundPublish): void {
    if (this.#ended) return
    const receipt = publish.qos === 0 ? undefined : this.#receipts.note(publish)
    if (publish.qos !== 0 && receipt === undefined) return
    if (this.#hand(publish, receipt)) return
    const room = publish.qos > 0 || this.#queuedQos0 < this.#maxQueued / 2
    if (this.#holdTimer === undefined || !room) {
      this.finished(receipt)
      return
    }
    // or the finished prefix would take it along
    if (receipt !== undefined) receipt.open = 1
    this.#held.push({ publish, receipt })
    this.queued(1, publish.payload.length, publish.qos)
  }

  /** The broker's PUBREL. */
  released(packetId: number): void {
    if (!this.#ended) this.#receipts.released(packetId)
  }

  /** Gives held messages to whoever asks for them now. */
  release(): void {
    for (let count = this.#held.length; count > 0; count -= 1) {
      const held = this.#held.shift()
      if (held === undefined) break
      if (this.#hand(held.publish, held.receipt)) this.#unhold(held)
      else this.#held.push(held)
    }
  }

  /** One reader has finished a message. */
  finished(receipt: Receipt | undefined): void {
    if (receipt === undefined || this.#ended) return
    this.#receipts.finish(receipt)
    this.#weigh()
  }

  /** A reader that has left will not finish a message: that is the end of it, unless others of its group may have it. */
  abandoned(reader: Reader, receipt: Receipt | undefined): void {
    if (receipt !== undefined && reader.shared) receipt.withheld = true
    this.finished(receipt)
  }

  /** So many more (or fewer) wait for readers; pauses and resumes the socket. */
  queued(count: number, bytes: number, qos: number): void {
    if (qos === 0) this.#queuedQos0 += count
    this.#queuedBytes += bytes
    this.#weigh()
  }

  /** A reader leaves. */
  leave(reader: Reader): Promise<void> {
    return this.#leave(reader)
  }

  /** Ends a reader that leaves. What it had not read is finished, or left to the others of its group. */
  dismiss(reader: Reader): void {
    for (const receipt of reader.end(false)) this.abandoned(reader, receipt)
  }

  /** The link has ended. `keepQueues`: what is queued will not come again, so readers may still take it. */
  end(keepQueues: boolean): void {
    if (this.#ended) return
    this.#ended = true
    this.#holdTimer?.cancel()
    this.#held.clear()
    for (const reader of this.subscriptions.readers()) reader.end(keepQueues)
  }

  #hand(publish: InboundPublish, receipt: Receipt | undefined): boolean {
    const readers = this.subscriptions.route(publish)
    let count = 0
    for (const _ of readers) count += 1
    if (count === 0) return false
    // before the first one can finish it
    if (receipt !== undefined) receipt.open = count
    for (const reader of readers) reader.take(publish, receipt)
    return true
  }

  #weigh(): void {
    const { unfinished } = this.#receipts
    const full =
      this.#queuedQos0 >= this.#maxQueued || this.#queuedBytes >= MAX_BYTES || unfinished >= MAX_UNFINISHED
    const low =
      this.#queuedQos0 <= this.#maxQueued / 2 &&
      this.#queuedBytes <= MAX_BYTES / 2 &&
      unfinished <= MAX_UNFINISHED / 2
    if (this.#paused ? low : full) {
      this.#paused = !this.#paused
      if (!this.#ended) this.#onPause(this.#paused)
    }
  }

  #unhold(held: Held): void {
    this.queued(-1, -held.publish.payload.length, held.publish.qos)
  }

  #giveUp(): void {
    this.#holdTimer = undefined
    for (let held = this.#held.shift(); held !== undefined; held = this.#held.shift()) {
      this.#unhold(held)
      this.finished(held.receipt)
    }
  }
}
