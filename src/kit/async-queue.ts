import type { Deferred } from './deferred.ts'
import { deferred } from './deferred.ts'
import { Ring } from './ring.ts'

/**
 * A queue whose readers wait: one side pushes and ends, the other side iterates. It never drops and never
 * limits: whoever pushes looks at `length`.
 *
 * States: open; ended (what is queued is still handed out, then the error if there is one, then `done`); returned (nothing is handed out any more).
 */
export class AsyncQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #items = new Ring<T>()
  readonly #takers = new Ring<Deferred<IteratorResult<T, undefined>>>()
  readonly #onReturn: () => Promise<void> | void
  #ended = false
  #error: Error | undefined
  #returned = false

  /** @param onReturn - called once when the reader leaves before the end; `return()` waits for it */
  constructor(onReturn: () => Promise<void> | void = () => undefined) {
    this.#onReturn = onReturn
  }

  /** How many items nobody has taken yet. */
  get length(): number {
    return this.#items.length
  }

  /** Whether the end was said. */
  get ended(): boolean {
    return this.#ended
  }

  /** Adds an item, or hands it to the reader that waits longest. After the end it does nothing and gives false. */
  push(item: T): boolean {
    if (!this.#hand(item)) this.#items.push(item)
    return !this.#ended
  }

  /** As `push()`, in front of all others. */
  unshift(item: T): boolean {
    if (!this.#hand(item)) this.#items.unshift(item)
    return !this.#ended
  }

  /**
   * No more will come: readers get what is queued, then the end. Twice is fine.
   *
   * @param error - told once, in place of the end, to the reader that is the first to find nothing
   */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    for (let taker = this.#takers.shift(); taker !== undefined; taker = this.#takers.shift()) {
      taker.resolve(this.#end())
    }
  }

  /** Takes out everything that nobody has taken yet, and gives it. */
  drain(): T[] {
    const items: T[] = []
    while (this.#items.length > 0) {
      const item = this.#items.shift()
      if (item !== undefined) items.push(item)
    }
    return items
  }

  /** The next item, as soon as there is one. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#items.length > 0) {
      const value = this.#items.shift()
      if (value !== undefined) return Promise.resolve({ done: false, value })
    }
    if (this.#ended) return this.#end()
    const taker = deferred<IteratorResult<T, undefined>>()
    this.#takers.push(taker)
    return taker.promise
  }

  /** The reader leaves: the queue ends, and whoever made it is told. What is queued is handed to nobody; the maker may `drain()` it. */
  async return(): Promise<IteratorResult<T, undefined>> {
    if (!this.#returned) {
      this.#returned = true
      const early = !this.#ended || this.#items.length > 0
      this.end()
      if (early) await this.#onReturn()
      this.#items.clear()
    }
    return { done: true, value: undefined }
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this
  }

  /** True when a reader waited for it, or when nobody may have it any more. */
  #hand(value: T): boolean {
    const taker = this.#takers.shift()
    taker?.resolve({ done: false, value })
    return taker !== undefined || this.#ended
  }

  async #end(): Promise<IteratorResult<T, undefined>> {
    const error = this.#error
    this.#error = undefined
    if (error !== undefined) throw error
    return { done: true, value: undefined }
  }
}
