import type { BackhaulError, ErrorCode, Message } from '../contract/index.ts'

/** A message that the broker refused for good, and why. */
export interface DeadLetter {
  /** The message. */
  readonly message: Message
  /** The refusal. */
  readonly error: BackhaulError
  /** When, in milliseconds since 1970. */
  readonly atMs: number
}

/** The latest dead letters, within a count and a number of payload bytes, and how many there were by error code. */
export class DeadLetters {
  readonly #maxMessages: number
  readonly #maxBytes: number
  readonly #letters: DeadLetter[] = []
  readonly #counts = new Map<ErrorCode, number>()
  #bytes = 0

  /** Keeps at most so many of each. */
  constructor(maxMessages = 100, maxBytes = 1024 * 1024) {
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
  }

  /** The latest ones, oldest first. */
  get latest(): readonly DeadLetter[] {
    return this.#letters
  }

  /** How many there were, by the code of the refusal. */
  get counts(): ReadonlyMap<ErrorCode, number> {
    return this.#counts
  }

  /** Adds one; the oldest ones make room. */
  add(letter: DeadLetter): void {
    this.#counts.set(letter.error.code, (this.#counts.get(letter.error.code) ?? 0) + 1)
    this.#letters.push(letter)
    this.#bytes += letter.message.payload.byteLength
    while (this.#letters.length > this.#maxMessages || this.#bytes > this.#maxBytes) {
      const oldest = this.#letters.shift()
      if (oldest === undefined) break
      this.#bytes -= oldest.message.payload.byteLength
    }
  }
}
