import { BackhaulError } from '../contract/index.ts'
import type { Deferred } from '../kit/deferred.ts'
import { deferred } from '../kit/deferred.ts'

/** Those who wait until nothing is pending. */
export class Drains {
  readonly #waiting = new Set<Deferred<void>>()

  /** How many wait. */
  get size(): number {
    return this.#waiting.size
  }

  /**
   * Waits for `resolve()`.
   *
   * @throws BackhaulError `ABORTED`, or what `reject()` says.
   */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    const done = deferred()
    const giveUp = () => done.reject(drainAborted(signal))
    if (signal?.aborted === true) giveUp()
    this.#waiting.add(done)
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      await done.promise
    } finally {
      signal?.removeEventListener('abort', giveUp)
      this.#waiting.delete(done)
    }
  }

  /** Nothing is pending. */
  resolve(): void {
    for (const { resolve } of this.#waiting) resolve()
    this.#waiting.clear()
  }

  /** It will never come to that. */
  reject(error: BackhaulError): void {
    for (const { reject } of this.#waiting) reject(error)
    this.#waiting.clear()
  }
}

function drainAborted(signal: AbortSignal | undefined): BackhaulError {
  const text = 'Cannot drain the outbox: messages are still pending and the caller gave up, wait longer'
  return new BackhaulError('ABORTED', text, signal?.reason)
}
