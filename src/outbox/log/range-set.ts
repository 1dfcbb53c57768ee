/**
 * Which sequences of a log are over: all up to `low`, and ranges above it. There are as many ranges as there are gaps
 * between them, and a gap is a message that is on its way, so they stay few.
 */
export class RangeSet {
  #low: number
  // range n is #starts[n]..#ends[n], both inclusive; never two that touch, none that touches #low
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  #above = 0

  /** Everything up to `low` is in it. */
  constructor(low: number, ranges: readonly (readonly [start: number, end: number])[] = []) {
    this.#low = low
    for (const [start, end] of ranges) this.addRange(start, end)
  }

  /** Everything up to here is in it, and the next one is not. */
  get low(): number {
    return this.#low
  }

  /** How many above `low` are in it. */
  get above(): number {
    return this.#above
  }

  /** The greatest one that is in it. */
  get highest(): number {
    return this.#ends.at(-1) ?? this.#low
  }

  /** The ranges above `low`. */
  *ranges(): Generator<[start: number, end: number]> {
    for (const [index, start] of this.#starts.entries()) yield [start, this.#ends[index] ?? start]
  }

  /** Adds one; false when it was in it already. */
  add(sequence: number): boolean {
    if (sequence === this.#low + 1 && this.#starts.length === 0) {
      this.#low = sequence
      return true
    }
    if (this.has(sequence)) return false
    this.#insert(sequence, sequence)
    return true
  }

  /** Adds `start..end`, both inclusive; gives how many are new. */
  addRange(start: number, end: number): number {
    const from = Math.max(start, this.#low + 1)
    if (from > end) return 0
    const added = end - from + 1 - this.countIn(from, end)
    if (added > 0) this.#insert(from, end)
    return added
  }

  /** Whether it is in it. */
  has(sequence: number): boolean {
    if (sequence <= this.#low) return true
    const index = this.#firstEndingFrom(sequence)
    return index < this.#starts.length && (this.#starts[index] ?? Infinity) <= sequence
  }

  /** How many of `start..end` are in it. */
  countIn(start: number, end: number): number {
    if (start > end) return 0
    let count = Math.max(0, Math.min(end, this.#low) - start + 1)
    for (let index = this.#firstEndingFrom(start); index < this.#starts.length; index += 1) {
      const from = Math.max(start, this.#starts[index] ?? Infinity)
      if (from > end) break
      count += Math.min(end, this.#ends[index] ?? 0) - from + 1
    }
    return count
  }

  /** Whether all of `start..end` is in it. */
  covers(start: number, end: number): boolean {
    return start > end || this.countIn(start, end) === end - start + 1
  }

  /** The first sequence from `from` on that is not in it. */
  firstMissing(from: number): number {
    if (from <= this.#low) return this.firstMissing(this.#low + 1)
    const index = this.#firstEndingFrom(from)
    return index < this.#starts.length && (this.#starts[index] ?? Infinity) <= from
      ? (this.#ends[index] ?? from) + 1
      : from
  }

  /** A copy that stays as it is. */
  copy(): RangeSet {
    return new RangeSet(this.#low, [...this.ranges()])
  }

  #insert(start: number, end: number): void {
    const first = this.#firstEndingFrom(start - 1)
    let from = start
    let to = end
    let last = first
    while (last < this.#starts.length && (this.#starts[last] ?? Infinity) <= to + 1) {
      from = Math.min(from, this.#starts[last] ?? from)
      to = Math.max(to, this.#ends[last] ?? to)
      this.#above -= (this.#ends[last] ?? 0) - (this.#starts[last] ?? 0) + 1
      last += 1
    }
    if (from === this.#low + 1) {
      this.#low = to
      this.#starts.splice(first, last - first)
      this.#ends.splice(first, last - first)
      return
    }
    this.#above += to - from + 1
    if (last - first === 1) {
      this.#starts[first] = from
      this.#ends[first] = to
      return
    }
    this.#starts.splice(first, last - first, from)
    this.#ends.splice(first, last - first, to)
  }

  /** The index of the first range that ends at `sequence` or later. */
  #firstEndingFrom(sequence: number): number {
    let low = 0
    let high = this.#ends.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ends[middle] ?? 0) < sequence) low = middle + 1
      else high = middle
    }
    return low
  }
}
