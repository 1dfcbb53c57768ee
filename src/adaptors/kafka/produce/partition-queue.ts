import { Ring } from '../../../kit/ring.ts'
import type { Sent } from './in-hand.ts'

/** A batch on its way to the broker. */
export interface Flight {
  /** Where it goes. */
  readonly queue: PartitionQueue
  /** Its messages. */
  readonly sent: readonly Sent[]
  /** The sequence number of the first. */
  readonly sequence: number
  /** Its size before compression. */
  readonly bytes: number
}

/*
 * What waits for one partition, in order.
 *
 * Sequence numbers count the messages of the partition; the broker takes a batch only when its number follows. So when a batch
 * comes back, those behind it come back too: nothing goes out until all are back (`#returning`), then they wait again in their
 * order, and the numbers start again at that of the first one.
 *
 * The broker takes any number from a producer that it has not seen in this partition. So the first batch travels alone: were it to
 * come back while a second one is taken, the order would be lost. Without idempotence every batch travels alone.
 */

/** What waits for one partition. */
export class PartitionQueue {
  /** The topic's name. */
  readonly topic: string
  /** The partition's number. */
  readonly index: number
  /** The broker that leads it; -1 while there is none. */
  leader = -1
  readonly #waiting = new Ring<Sent>()
  readonly #returned: Sent[] = []
  #returning = false
  #inFlight = 0
  #sequence = 0
  #proven = false
  #maxBytes: number

  /** @param maxBytes - the largest batch to begin with; a single message may be larger */
  constructor(topic: string, index: number, maxBytes: number) {
    this.topic = topic
    this.index = index
    this.#maxBytes = maxBytes
  }

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.#waiting.length === 0
  }

  /** Adds a message behind all others. */
  push(sent: Sent): void {
    this.#waiting.push(sent)
  }

  /** Whether a batch may leave now. */
  mayLeave(idempotent: boolean): boolean {
    if (this.#waiting.length === 0 || this.#returning || this.leader < 0) return false
    return this.#inFlight === 0 || (idempotent && this.#proven)
  }

  /** Takes the next batch; `undefined` when nothing is left that waits for its outcome. */
  leave(): Flight | undefined {
    const sent: Sent[] = []
    let bytes = 0
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      const size = next.encoded.size + 5
      if (!next.settled && sent.length > 0 && bytes + size > this.#maxBytes) break
      this.#waiting.shift()
      if (next.settled) continue
      sent.push(next)
      bytes += size
    }
    if (sent.length === 0) return undefined
    const flight: Flight = { queue: this, sent, sequence: this.#sequence, bytes }
    this.#sequence = wrapped(this.#sequence + sent.length)
    this.#inFlight += 1
    return flight
  }

  /** A batch was taken by the broker. False when one that left before it had come back: then the order is lost. */
  arrived(): boolean {
    this.#proven = true
    this.#inFlight -= 1
    return !this.#returning
  }

  /** A batch was not taken. What of it is not settled goes out again, when all behind it are back. */
  cameBack(flight: Flight): void {
    if (!this.#returning) {
      this.#returning = true
      this.#sequence = flight.sequence
    }
    this.#inFlight -= 1
    for (const sent of flight.sent) this.#returned.push(sent)
    if (this.#inFlight > 0) return
    for (const sent of this.#returned.toReversed()) if (!sent.settled) this.#waiting.unshift(sent)
    this.#returned.length = 0
    this.#returning = false
  }

  /** Whether a batch that comes back now was behind one that came back. */
  get returning(): boolean {
    return this.#returning
  }

  /** Makes batches smaller from now on: this one was too large. */
  shrink({ bytes }: Flight): void {
    this.#maxBytes = Math.max(1, Math.min(this.#maxBytes, Math.floor(bytes / 2)))
  }

  /** Takes out everything that waits. */
  *drain(): Generator<Sent> {
    for (let sent = this.#waiting.shift(); sent !== undefined; sent = this.#waiting.shift()) yield sent
  }
}

/** Sequence numbers start again at 0 after 2^31 - 1. */
function wrapped(sequence: number): number {
  return sequence > 0x7fff_ffff ? sequence - 0x8000_0000 : sequence
}
