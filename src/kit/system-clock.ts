import type { Clock, Timer } from '../contract/index.ts'

/** The longest delay that a timer of Node.js takes, in milliseconds; with a longer one it would fire at once. */
const LONGEST_MS = 2_147_483_647

/** The machine's own clock and timers. A delay may be of any length, `Infinity` too. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, task, unref = false) {
    if (delayMs > LONGEST_MS) return afterLong(delayMs, task, unref)
    const timer = setTimeout(task, delayMs)
    if (unref) timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}

function afterLong(delayMs: number, task: () => void, unref: boolean): Timer {
  let timer: Timer | undefined
  const go = (leftMs: number) => {
    const stepMs = Math.min(leftMs, LONGEST_MS)
    timer = systemClock.after(stepMs, () => (leftMs > stepMs ? go(leftMs - stepMs) : task()), unref)
  }
  go(delayMs)
  return { cancel: () => timer?.cancel() }
}
