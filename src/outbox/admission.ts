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
 * find no room.
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
  /** Whether its topic is refused and the share of what is parked is full: it waits apart from the others. */
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
  /** Those of refused topics, by class and topic: they hold nobody else up. */
  readonly #held = new Map<string, Ring<Waiter>>()
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
    for (const ring of this.#waiters) if (!this.#serveRing(ring, true)) break
    for (const [name, ring] of this.#held) {
      this.#serveRing(ring, false)
      if (ring.length === 0) this.#held.delete(name)
    }
  }

  /** Sends everyone who waits away. */
  close(error: BackhaulError): void {
    for (const ring of [...this.#waiters, ...this.#held.values()]) {
      for (let waiter = ring.shift(); waiter !== undefined; waiter = ring.shift()) {
        if (!waiter.waiting) continue
        this.#end(waiter)
        waiter.done.reject(error)
      }
    }
    this.#held.clear()
  }

  /** False when someone still waits. */
  #serveRing(ring: Ring<Waiter>, maySetAside: boolean): boolean {
    for (let waiter = ring.peek(); waiter !== undefined; waiter = ring.peek()) {
      if (waiter.waiting && !this.#gate.fits(waiter.entry)) {
        if (!maySetAside || !this.#gate.isHeld(waiter.entry)) return false
        this.#heldRing(waiter.entry).push(waiter)
      } else if (waiter.waiting) {
        this.#end(waiter)
        try {
          waiter.done.resolve(this.#gate.accept(waiter.entry))
        } catch (error) {
          waiter.done.reject(error)
        }
      }
      ring.shift()
    }
    return true
  }

  /** Nobody overtakes those who wait in the same or a more urgent class, nor those of the same topic. */
  #isBehindOthers(entry: Entry): boolean {
    if (this.#waiting === 0) return false
    if ((this.#held.get(nameOf(entry))?.length ?? 0) > 0) return true
    return this.#waiters.slice(0, entry.lane + 1).some((ring) => ring.length > 0)
  }

  #heldRing(entry: Entry): Ring<Waiter> {
    const name = nameOf(entry)
    let ring = this.#held.get(name)
    if (ring === undefined) {
      ring = new Ring()
      this.#held.set(name, ring)
    }
    return ring
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
    const isApart = this.#held.has(nameOf(entry)) || this.#gate.isHeld(entry)
    const ring = isApart ? this.#heldRing(entry) : this.#waiters[entry.lane]
    ring.push(waiter)
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

function nameOf({ lane, message }: Entry): string {
  return `${lane} ${message.topic}`
}
