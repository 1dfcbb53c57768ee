interface Watched {
  uses: number
  readonly listener: () => void
}

/**
 * Listens to the abort of many uses of few signals: one listener a signal, however many uses it has. The listener of the
 * signal that was used last stays although it has no use at the moment, so that a caller who always gives
 * the same one costs nothing per call.
 */
export class SignalWatch {
  readonly #onAbort: (signal: AbortSignal) => void
  readonly #watched = new Map<AbortSignal, Watched>()
  #last: AbortSignal | undefined

  /** @param onAbort - called when a signal aborts that is in use */
  constructor(onAbort: (signal: AbortSignal) => void) {
    this.#onAbort = onAbort
  }

  /** Counts one more use. */
  add(signal: AbortSignal): void {
    const known = this.#watched.get(signal)
    if (known !== undefined) {
      known.uses += 1
    } else {
      const listener = (): void => this.#onAbort(signal)
      signal.addEventListener('abort', listener, { once: true })
      this.#watched.set(signal, { uses: 1, listener })
    }
    const last = this.#last
    this.#last = signal
    if (last !== undefined && last !== signal && this.#watched.get(last)?.uses === 0) this.#drop(last)
  }

  /** Counts one use less. */
  release(signal: AbortSignal): void {
    const known = this.#watched.get(signal)
    if (known === undefined) return
    known.uses -= 1
    if (known.uses === 0 && signal !== this.#last) this.#drop(signal)
  }

  /** Stops listening to all. */
  close(): void {
    for (const signal of this.#watched.keys()) this.#drop(signal)
  }

  #drop(signal: AbortSignal): void {
    const known = this.#watched.get(signal)
    if (known !== undefined) signal.removeEventListener('abort', known.listener)
    this.#watched.delete(signal)
  }
}
