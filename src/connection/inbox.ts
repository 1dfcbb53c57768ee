import type { Deferred } from '../kit/deferred.ts'
import { deferred } from '../kit/deferred.ts'
import { Ring } from '../kit/ring.ts'

/**
 * A queue with an end that readers wait at. Whoever fills it bounds it: `length` tells how much is unread.
 *
 * Invariants: items and waiting readers are never there at once; after the end nothing comes in, what is still in it
 * is read first, and an error is told to one reader only.
 */
export class Inbox<T> {
  readonly #items = new Ring<T>()
  readonly #readers = new Ring<Deferred<IteratorResult<T, undefined>>>()
  #ended = false
  #error: Error | undefined

  /** How many items nobody has read. */
  get length(): number {
    return this.#items.length
  }

  /** Whether the end was said. */
  get ended(): boolean {
    return this.#ended
  }

  /** Adds an item at the end. */
  push(item: T): void {
    if (this.#ended) return
    const reader = this.#readers.shift()
    if (reader === undefined) this.#items.push(item)
    else reader.resolve({ value: item, done: false })
  }

  /** Adds an item in front of all others. */
  unshift(item: T): void {
    if (this.#ended) return
    const reader = this.#readers.shift()
    if (reader === undefined) this.#items.unshift(item)
    else reader.resolve({ value: item, done: false })
  }

  /** Takes the oldest item away unread. */
  dropOldest(): void {
    this.#items.shift()
  }

  /** Takes everything away unread. */
  clear(): void {
    this.#items.clear()
  }

  /** The next item; waits for it. Several may wait, and are served in their order. */
  next(): Promise<IteratorResult<T, undefined>> {
    const value = this.#items.shift()
    if (value !== undefined) return Promise.resolve({ value, done: false })
    if (this.#error !== undefined) {
      const error = this.#error
      this.#error = undefined
      return Promise.reject(error)
    }
    if (this.#ended) return Promise.resolve({ value: undefined, done: true })
    const reader = deferred<IteratorResult<T, undefined>>()
    this.#readers.push(reader)
    return reader.promise
  }

  /** Says that nothing comes any more, and why where that is an error. Later calls do nothing. */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    for (;;) {
      const reader = this.#readers.shift()
      if (reader === undefined) return
      if (this.#error === undefined) {
        reader.resolve({ value: undefined, done: true })
      } else {
        reader.reject(this.#error)
        this.#error = undefined
      }
    }
  }
}
