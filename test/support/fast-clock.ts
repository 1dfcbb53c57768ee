import type { Clock } from '../../src/contract/index.ts'
import { systemClock } from '../../src/kit/system-clock.ts'

/** A clock that runs `factor` times as fast as the machine's: what is due in half a minute comes after a moment. */
export function fastClock(factor: number): Clock {
  const startMs = systemClock.now()
  const startedMs = systemClock.monotonic()
  const passedMs = () => (systemClock.monotonic() - startedMs) * factor
  return {
    now: () => startMs + passedMs(),
    monotonic: passedMs,
    after: (delayMs, task, unref) => systemClock.after(delayMs / factor, task, unref),
  }
}
