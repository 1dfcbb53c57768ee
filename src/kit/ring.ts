/**
 * A first-in, first-out queue over one array that doubles when full: `push`, `unshift` and `shift` in constant time,
 * with no garbage in steady state. It never shrinks by itself.
 */
export class Ring<T> {
  #slots: (T | undefined)[] = Array.from({ length: 16 })
  #head = 0
  #length = 0

  /** How many items are in it. */
  get length(): number {
    return this.#length
  }

  /** Adds at the end. */
  push(item: T): void {
    if (this.#length === this.#slots.length) this.#grow()
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = item
    this.#length += 1
  }

  /** Adds at the front. */
  unshift(item: T): void {
    if (this.#length === this.#slots.length) this.#grow()
    this.#head = (this.#head - 1) & (this.#slots.length - 1)
    this.#slots[this.#head] = item
    this.#length += 1
  }

  /** Takes the first item, or `undefined` when empty. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#slots.length - 1)
    this.#length -= 1
    return item
  }

  /** The item at `index` from the front without taking it, or `undefined` beyond the end. */
  peek(index = 0): T | undefined {
    return index < this.#length ? this.#slots[(this.#head + index) & (this.#slots.length - 1)] : undefined
  }

  /** Takes everything out. */
  clear(): void {
    this.#slots = Array.from({ length: 16 })
    this.#head = 0
    this.#length = 0
  }

  #grow(): void {
    const slots: (T | undefined)[] = Array.from({ length: this.#slots.length * 2 })
    for (let index = 0; index < this.#length; index += 1) slots[index] = this.peek(index)
    this.#slots = slots
    this.#head = 0
  }
}
