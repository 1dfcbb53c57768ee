import type { Clock } from '../contract/index.ts'

/** The machine's own clock and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, task, unref = false) {
    const timer = setTimeout(task, delayMs)
    if (unref) timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}
