import type { Entry } from './entry.ts'

/** Messages that were handed to the link together. A place becomes empty when its message has settled. */
export interface Batch {
  /** In the order in which they were handed over. */
  readonly entries: (Entry | undefined)[]
  /** How many have not settled. */
  open: number
}

/** What is on its way over one link, within a number of messages and of payload bytes. */
export class Window {
  readonly #maxMessages: number
  readonly #maxBytes: number
  readonly #batches = new Set<Batch>()
  #messages = 0
  #bytes = 0

  /** One message always fits, however large. */
  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = Math.max(1, maxMessages)
    this.#maxBytes = maxBytes
  }

  /** Messages on their way. */
  get messages(): number {
    return this.#messages
  }

  /** Their payload bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether `messages` more with `bytes` altogether may go out. */
  fits(messages: number, bytes: number): boolean {
    if (this.#messages + messages > this.#maxMessages) return false
    return this.#bytes + bytes <= this.#maxBytes || this.#messages + messages === 1
  }

  /** Counts a batch as on its way. */
  open(entries: (Entry | undefined)[], bytes: number): Batch {
    const batch = { entries, open: entries.length }
    this.#batches.add(batch)
    this.#messages += entries.length
    this.#bytes += bytes
    return batch
  }

  /** The entry that has settled; `undefined` when it had before, or was taken back. */
  settle(batch: Batch, index: number): Entry | undefined {
    const entry = batch.entries[index]
    if (entry === undefined) return undefined
    batch.entries[index] = undefined
    batch.open -= 1
    if (batch.open === 0) this.#batches.delete(batch)
    this.#messages -= 1
    this.#bytes -= entry.bytes
    return entry
  }

  /** Takes back everything on its way: whatever settles afterwards is ignored. */
  takeBack(): Entry[] {
    const entries: Entry[] = []
    for (const batch of this.#batches) {
      for (const entry of batch.entries) if (entry !== undefined) entries.push(entry)
      batch.entries.length = 0
    }
    this.#batches.clear()
    this.#messages = 0
    this.#bytes = 0
    return entries
  }
}
