import { Ring } from './ring.ts'

/** What a call of `next()` that found nothing waits with. */
type Taker<T> = (result: IteratorResult<T, undefined>) => void

/**
 * A queue whose readers wait: one side pushes and ends, the other side iterates. It never drops and never
 * limits: whoever pushes looks at `length`.
 *
 * States: open; ended (what is queued is still handed out, then `done`); returned (nothing is handed out any more).
 */
export class AsyncQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #items = new Ring<T>()
  readonly #takers = new Ring<Taker<T>>()
  readonly #onReturn: () => Promise<void> | void
  #ended = false
  #returned = false

  /** @param onReturn - called once when the reader leaves before the end; `return()` waits for it */
  constructor(onReturn: () => Promise<void> | void = () => undefined) {
    this.#onReturn = onReturn
  }

  /** How many items nobody has taken yet. */
  get length(): number {
    return this.#items.length
  }

  /** Adds an item, or hands it to the reader that waits longest. After the end it does nothing and gives false. */
  push(item: T): boolean {
    if (this.#ended) return false
    const taker = this.#takers.shift()
    if (taker === undefined) this.#items.push(item)
    else taker({ done: false, value: item })
    return true
  }

  /** No more will come: readers get what is queued, then the end. Twice is fine. */
  end(): void {
    this.#ended = true
    for (let taker = this.#takers.shift(); taker !== undefined; taker = this.#takers.shift()) {
      taker({ done: true, value: undefined })
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
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.#takers.push(resolve))
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
}
