/** A timer that was set. */
export interface Timer {
  /** Stops it; twice is fine. */
  cancel(): void
}

/** Time as the rooms see it: given in, so that tests drive it. */
export interface Clock {
  /** Milliseconds since 1970. May jump. */
  now(): number
  /** Milliseconds that never go back. */
  monotonic(): number
  /** Calls `task` once after `delayMs` milliseconds. The timer does not keep the process alive when `unref` is true. */
  after(delayMs: number, task: () => void, unref?: boolean): Timer
}
