import type { Entry, Expiry, Ticket } from './entry.ts'
import { dropReason } from './entry.ts'

/** What a queue holds. */
export interface Queued {
  /** Its place. */
  readonly sequence: number
  /** Its age limit. */
  readonly expiry: Expiry | undefined
  /** Who may withdraw it. */
  readonly ticket: Ticket | undefined
}

/** Above so many slots, an empty queue gives its memory back. */
const KEPT_SLOTS = 4096

/**
 * Entries in order of their sequence. Adding at the end and taking the first are constant in time and make no garbage
 * in steady state, and so is putting the first one back. Adding in between moves what lies behind: that is for a
 * window's worth of stragglers.
 */
export class SequenceQueue<T extends Queued = Entry> {
  // filled from #head up to, not including, #tail
  #slots: (T | undefined)[] = []
  #head = 0
  #tail = 0

  /** How many entries are in it. */
  get length(): number {
    return this.#tail - this.#head
  }

  /** The first entry, or `undefined` when empty. */
  peek(): T | undefined {
    return this.#head === this.#tail ? undefined : this.#slots[this.#head]
  }

  /** The entry at `index` from the front without taking it. */
  at(index: number): T | undefined {
    return this.#head + index < this.#tail ? this.#slots[this.#head + index] : undefined
  }

  /** Adds an entry at its place. */
  add(entry: T): void {
    const last = this.#head === this.#tail ? undefined : this.#slots[this.#tail - 1]
    if (last === undefined || last.sequence < entry.sequence) {
      this.#slots[this.#tail] = entry
      this.#tail += 1
    } else {
      this.#insert(entry)
    }
  }

  /** Takes the first entry, or `undefined` when empty. */
  shift(): T | undefined {
    if (this.#head === this.#tail) return undefined
    const first = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head += 1
    if (this.#head === this.#tail) {
      this.#head = 0
      this.#tail = 0
      if (this.#slots.length > KEPT_SLOTS) this.#slots = []
    } else if (this.#head > 1024 && this.#head * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head, this.#tail)
      this.#tail -= this.#head
      this.#head = 0
    }
    return first
  }

  /**
   * Takes out every entry whose deadline has passed, or that was withdrawn.
   *
   * @returns what was taken out, in order, and the earliest deadline left (`Infinity` for none)
   */
  sweep(monotonicMs: number): { over: T[]; earliestMs: number } {
    const over: T[] = []
    let earliestMs = Infinity
    let kept = this.#head
    for (let index = this.#head; index < this.#tail; index += 1) {
      const entry = this.#slots[index]
      if (entry === undefined) continue
      if (dropReason(entry, monotonicMs) !== undefined) {
        over.push(entry)
      } else {
        this.#slots[kept] = entry
        kept += 1
        earliestMs = Math.min(earliestMs, entry.expiry?.deadlineMs ?? Infinity)
      }
    }
    this.#slots.fill(undefined, kept, this.#tail)
    this.#tail = kept
    return { over, earliestMs }
  }

  #insert(entry: T): void {
    const index = this.#placeOf(entry.sequence)
    if (index === this.#head && this.#head > 0) {
      this.#head -= 1
      this.#slots[this.#head] = entry
      return
    }
    for (let slot = this.#tail; slot > index; slot -= 1) this.#slots[slot] = this.#slots[slot - 1]
    this.#slots[index] = entry
    this.#tail += 1
  }

  /** The index of the first entry behind `sequence`. */
  #placeOf(sequence: number): number {
    let low = this.#head
    let high = this.#tail
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#slots[middle]?.sequence ?? 0) < sequence) low = middle + 1
      else high = middle
    }
    return low
  }
}
