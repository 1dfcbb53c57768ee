import type { Clock, Timer } from '../contract/index.ts'

/** One timer that rings at the earliest time it was set to. */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #timer: Timer | undefined
  #atMs = Infinity

  /** Calls `ring` when the time has come; it may set the alarm again. */
  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Rings at `atMs` (monotonic milliseconds), unless it rings earlier anyway. */
  set(atMs: number): void {
    if (atMs >= this.#atMs) return
    this.#timer?.cancel()
    this.#atMs = atMs
    this.#timer = this.#clock.after(atMs - this.#clock.monotonic(), () => {
      this.#atMs = Infinity
      this.#ring()
    })
  }

  /** Does not ring any more, until it is set again. */
  cancel(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#atMs = Infinity
  }
}
