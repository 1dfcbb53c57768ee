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
 *   urgent one than the new message's. A message of a refused topic takes the place of parked ones.
 * - `dropNewest`: the new one is refused.
 *
 * What is parked does not count against what waits: it has its own share. When that is full, only messages of refused topics
 * find no room, and `block` refuses them like `dropNewest`: nothing that is on its way makes room for them, and whoever sends to
 * several topics must not stand still for one of them.
 */
export type FullPolicy = 'block' | 'dropOldest' | 'dropNewest'

/** How much may be pending. */
export interface Limits {
  /** Messages. */
  readonly maxMessages: number
  /** Payload bytes. */
  readonly maxBytes: number
  /** Messages that are parked: they have a share of their own. @default half of `maxMessages` */
  readonly maxParkedMessages?: number | undefined
  /** Their payload bytes. @default half of `maxBytes` */
  readonly maxParkedBytes?: number | undefined
  /** What happens at a limit. */
  readonly policy: FullPolicy
}

/** What admission asks of the pump. */
export interface Gate {
  /** Whether an entry fits now. */
  fits(entry: Entry): boolean
  /** Whether its topic is refused and the share of what is parked is full: waiting would be of no use. */
  isHeld(entry: Entry): boolean
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
    if (this.#policy === 'block' && !this.#gate.isHeld(entry)) return this.#wait(entry, signal)
    if (this.#policy === 'dropOldest' && this.#gate.makeRoom(entry)) return this.#gate.accept(entry)
    throw this.#gate.turnAway(entry)
  }

  /** There may be room: serves whoever waits, in turn, as far as it goes. */
  serve(): void {
    for (const ring of this.#waiters) if (!this.#serveRing(ring)) break
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

  /** False when someone still waits. */
  #serveRing(ring: Ring<Waiter>): boolean {
    for (let waiter = ring.peek(); waiter !== undefined; waiter = ring.peek()) {
      if (waiter.waiting && !this.#serveOne(waiter)) return false
      ring.shift()
    }
    return true
  }

  /** False when it has to wait on. */
  #serveOne(waiter: Waiter): boolean {
    const { entry, done } = waiter
    const fits = this.#gate.fits(entry)
    if (!fits && !this.#gate.isHeld(entry)) return false
    this.#end(waiter)
    try {
      if (!fits) throw this.#gate.turnAway(entry)
      done.resolve(this.#gate.accept(entry))
    } catch (error) {
      done.reject(error)
    }
    return true
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
