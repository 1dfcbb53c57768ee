import { BackhaulError } from '../../contract/index.ts'
import { deferred } from '../../kit/deferred.ts'

/** One subscription of a link, as far as the link begins and ends it. */
export interface LinkReader {
  /** Resolves once the broker has granted everything. */
  start(): Promise<void>
  /** Writes finished acknowledgements, and ends the subscription at the broker. */
  leave(): Promise<void>
  /** The link has ended. */
  end(error: BackhaulError): void
}

/** What a reader ends with that has left. */
export function leftError(): BackhaulError {
  return new BackhaulError('CLOSED', 'Cannot read: the subscription was left, subscribe again')
}

/** The subscriptions of one link: each is over once, when it leaves, when its signal aborts or when the link ends. */
export class Readers<Reader extends LinkReader> {
  /** What is to be done when a subscription is over. */
  readonly #over = new Map<Reader, (error: BackhaulError) => void>()
  readonly #leaving = new Set<Promise<void>>()

  /** Those that are not over. */
  get open(): Iterable<Reader> {
    return this.#over.keys()
  }

  /**
   * Starts a subscription. From then on it leaves when `signal` aborts.
   *
   * @throws BackhaulError what `start()` rejects with; `ABORTED`; what `end()` was told
   */
  async start(reader: Reader, signal: AbortSignal): Promise<void> {
    const over = deferred<never>()
    // once it has started nobody waits for this
    over.promise.catch(() => undefined)
    const onAbort = () => {
      const text = 'Cannot subscribe: the caller gave up, call again'
      void this.leave(reader, new BackhaulError('ABORTED', text, signal.reason))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#over.set(reader, (error) => {
      signal.removeEventListener('abort', onAbort)
      over.reject(error)
    })
    try {
      await Promise.race([reader.start(), over.promise])
    } catch (error) {
      void this.leave(reader)
      throw error
    }
  }

  /** Ends a subscription at the broker; once it is over, this does nothing. */
  leave(reader: Reader, error: BackhaulError = leftError()): Promise<void> {
    const over = this.#over.get(reader)
    if (over === undefined) return Promise.resolve()
    this.#over.delete(reader)
    over(error)
    const leaving = reader.leave().finally(() => this.#leaving.delete(leaving))
    this.#leaving.add(leaving)
    return leaving
  }

  /** All of them leave. */
  async leaveAll(): Promise<void> {
    for (const reader of this.#over.keys()) void this.leave(reader)
    await Promise.all(this.#leaving)
  }

  /**
   * The link has ended.
   *
   * @param refusal - makes what a subscription is told that has not started yet
   */
  end(error: BackhaulError, refusal: () => BackhaulError): void {
    for (const [reader, over] of this.#over) {
      over(refusal())
      reader.end(error)
    }
    this.#over.clear()
  }

  /** Resolves when nobody is leaving any more. */
  async quiet(): Promise<void> {
    await Promise.allSettled(this.#leaving)
  }
}
