/** How much a {@link DeDuplicator} remembers. */
export interface DeDuplicatorOptions {
  /** How many ids: the oldest are forgotten. @default 100,000 */
  readonly maxIds?: number | undefined
}

/**
 * Tells a consumer which messages it has had: a message that is delivered at least once may come again, and always with
 * the same id. It remembers the latest ids, in memory: twice as many at most as it is told to.
 */
export class DeDuplicator {
  readonly #half: number
  #newer = new Set<string>()
  #older = new Set<string>()

  constructor({ maxIds = 100_000 }: DeDuplicatorOptions = {}) {
    this.#half = Math.max(1, maxIds)
  }

  /**
   * Whether an id comes for the first time; from then on it is known. A message without an id is always new.
   *
   * Ask when the work is done and just before it is acknowledged where it must not be lost, or before where it must not be done twice.
   */
  isNew(id: string | undefined): boolean {
    if (id === undefined) return true
    if (this.has(id)) return false
    if (this.#newer.size >= this.#half) {
      this.#older = this.#newer
      this.#newer = new Set()
    }
    this.#newer.add(id)
    return true
  }

  /** Whether an id is known. */
  has(id: string): boolean {
    return this.#newer.has(id) || this.#older.has(id)
  }

  /** Forgets an id, so that it is new again: when the work for it failed. */
  forget(id: string): void {
    this.#newer.delete(id)
    this.#older.delete(id)
  }
}
