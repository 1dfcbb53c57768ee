import type { BackhaulError, Receipt } from '../contract/index.ts'
import type { Deferred } from '../kit/deferred.ts'
import { deferred } from '../kit/deferred.ts'

/** The receipt of a message that the broker has acknowledged. */
export class DeliveredReceipt implements Receipt {
  /** The message's id. */
  readonly id: string

  constructor(id: string) {
    this.id = id
  }

  /** Resolves at once. */
  delivered(): Promise<void> {
    return Promise.resolve()
  }
}

/** The receipt of a message that an outbox holds: it learns later what became of it. */
export class StoredReceipt implements Receipt {
  /** The message's id. */
  readonly id: string
  #settled = false
  #error: BackhaulError | undefined
  #waiting: Deferred<void> | undefined
  /** Calls `settle()`. An outbox holds it weakly: it lives as long as this receipt. */
  readonly settled = (error: BackhaulError | undefined): void => this.settle(error)

  constructor(id: string) {
    this.id = id
  }

  /** Says what became of the message: `undefined` for delivered. */
  settle(error: BackhaulError | undefined): void {
    this.#settled = true
    this.#error = error
    if (error === undefined) this.#waiting?.resolve()
    else this.#waiting?.reject(error)
  }

  /**
   * Resolves once the broker has acknowledged the message.
   *
   * @throws BackhaulError the refusal, or the reason of the drop.
   */
  delivered(): Promise<void> {
    if (this.#waiting !== undefined) return this.#waiting.promise
    this.#waiting = deferred()
    if (this.#settled) this.settle(this.#error)
    return this.#waiting.promise
  }
}
