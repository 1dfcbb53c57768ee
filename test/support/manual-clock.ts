import type { Clock, Timer } from '../../src/contract/index.ts'

interface Pending extends Timer {
  readonly atMs: number
  readonly task: () => void
}

/**
 * A clock that stands still until the test moves it. Timers fire inside {@link ManualClock.advance}, in the order of
 * their time (equal times: in the order they were set), and each sees the time it was set for.
 */
export class ManualClock implements Clock {
  #nowMs: number
  #monotonicMs = 1000
  readonly #timers: Pending[] = []

  /** @param nowMs - milliseconds since 1970 to begin with. @default 2026-11-01 */
  constructor(nowMs = Date.UTC(2026, 10, 1)) {
    this.#nowMs = nowMs
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.length
  }

  /** Milliseconds until the next timer, or `undefined` when none is set. */
  get nextMs(): number | undefined {
    const next = this.#timers[0]
    return next === undefined ? undefined : next.atMs - this.#monotonicMs
  }

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  after(delayMs: number, task: () => void): Timer {
    const timers = this.#timers
    const timer: Pending = {
      atMs: this.#monotonicMs + Math.max(0, delayMs),
      task,
      cancel() {
        const index = timers.indexOf(timer)
        if (index >= 0) timers.splice(index, 1)
      },
    }
    const later = timers.findIndex((other) => other.atMs > timer.atMs)
    timers.splice(later < 0 ? timers.length : later, 0, timer)
    return timer
  }

  /** Lets time pass: both readings go on, and timers that become due fire. */
  advance(byMs: number): void {
    const endMs = this.#monotonicMs + byMs
    for (;;) {
      const next = this.#timers[0]
      if (next === undefined || next.atMs > endMs) break
      this.#timers.shift()
      this.#moveTo(next.atMs)
      next.task()
    }
    this.#moveTo(endMs)
  }

  /** Sets the wall clock, as an NTP step does: no time passes. */
  jump(nowMs: number): void {
    this.#nowMs = nowMs
  }

  #moveTo(monotonicMs: number): void {
    this.#nowMs += monotonicMs - this.#monotonicMs
    this.#monotonicMs = monotonicMs
  }
}
