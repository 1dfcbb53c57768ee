import type { Clock } from '../contract/index.ts'

/**
 * Waits until a promise has settled, whichever way, but no longer than `timeoutMs` milliseconds.
 * Gives whether it settled; never rejects and leaves no timer.
 */
export function settledWithin(clock: Clock, timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.after(timeoutMs, () => resolve(false))
    const settled = () => {
      timer.cancel()
      resolve(true)
    }
    promise.then(settled, settled)
  })
}
