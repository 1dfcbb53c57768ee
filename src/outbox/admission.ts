import { BackhaulError } from '../contract/index.ts'
import type { Deferred } from '../kit/deferred.ts'
import { deferred } from '../kit/deferred.ts'
import { Ring } from '../kit/ring.ts'
import type { Entry } from './entry.ts'

/**
 * What happens when a message finds the outbox full.
 *
 * - `block`: whoever adds it waits for room, in turn, the more urgent classes first.
 * - `dropOldest`: the oldest that are not on their way make room, from the least urgent class first and never from a more
 *   urgent one than the new message's. What is parked goes before what waits.
 * - `dropNewest`: the new one is refused.
 */
export type FullPolicy = 'block' | 'dropOldest' | 'dropNewest'

/** How much may be pending. */
export interface Limits {
  /** Messages. */
  readonly maxMessages: number
  /** Payload bytes. */
  readonly maxBytes: number
  /** What happens at a limit. */
  readonly policy: FullPolicy
}

/** What admission asks of the pump. */
export interface Gate {
  /** Whether an entry fits now. */
  fits(entry: Entry): boolean
  /** Takes it over; gives what `Store.safe()` gives. */
  accept(entry: Entry): Promise<void> | undefined
  /** Drops older messages until the entry fits; false when that cannot be. */
  makeRoom(entry: Entry): boolean
  /** Counts a message that found no room. Gives the error for it. */
  turnAway(entry: Entry): BackhaulError
}

interface Waiter {
  readonly entry: Entry
  readonly done: Deferred<void>
  /** False once it is served, or gave up. */
  waiting: boolean
}

/** Lets messages in by the policy, and keeps those who wait for room in turn. */
export class Admission {
  readonly #policy: FullPolicy
  readonly #gate: Gate
  readonly #waiters = [new Ring<Waiter>(), new Ring<Waiter>(), new Ring<Waiter>()] as const
  #waiting = 0

  /** The gate knows the limits. */
  constructor(policy: FullPolicy, gate: Gate) {
    this.#policy = policy
    this.#gate = gate
  }

  /** How many wait for room. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Takes a message over, or waits for room.
   *
   * @throws BackhaulError `OUTBOX_FULL`
   */
  admit(entry: Entry, signal: AbortSignal | undefined): Promise<void> | undefined {
    if (!this.#isBehindOthers(entry) && this.#gate.fits(entry)) return this.#gate.accept(entry)
    if (this.#policy === 'block') return this.#wait(entry, signal)
    if (this.#policy === 'dropOldest' && this.#gate.makeRoom(entry)) return this.#gate.accept(entry)
    throw this.#gate.turnAway(entry)
  }

  /** There may be room: serves whoever waits, in turn, as far as it goes. */
  serve(): void {
    for (const ring of this.#waiters) {
      for (let waiter = ring.peek(); waiter !== undefined; waiter = ring.peek()) {
        if (waiter.waiting) {
          if (!this.#gate.fits(waiter.entry)) return
          this.#end(waiter)
          try {
            waiter.done.resolve(this.#gate.accept(waiter.entry))
          } catch (error) {
            waiter.done.reject(error)
          }
        }
        ring.shift()
      }
    }
  }

  /** Sends everyone who waits away. */
  close(error: BackhaulError): void {
    for (const ring of this.#waiters) {
      for (let waiter = ring.shift(); waiter !== undefined; waiter = ring.shift()) {
        if (!waiter.waiting) continue
        this.#end(waiter)
        waiter.done.reject(error)
      }
    }
  }

  /** Nobody overtakes those who wait in the same or a more urgent class. */
  #isBehindOthers(entry: Entry): boolean {
    if (this.#waiting === 0) return false
    return this.#waiters.slice(0, entry.lane + 1).some((ring) => ring.length > 0)
  }

  async #wait(entry: Entry, signal: AbortSignal | undefined): Promise<void> {
    const waiter: Waiter = { entry, done: deferred(), waiting: true }
    const giveUp = () => {
      if (!waiter.waiting) return
      this.#end(waiter)
      waiter.done.reject(
        new BackhaulError(
          'ABORTED',
          `Cannot accept the message for "${entry.message.topic}": the caller gave up waiting for room, call again`,
          signal?.reason,
        ),
      )
      this.serve()
    }
    this.#waiters[entry.lane].push(waiter)
    this.#waiting += 1
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      await waiter.done.promise
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
  }

  #end(waiter: Waiter): void {
    waiter.waiting = false
    this.#waiting -= 1
  }
}
