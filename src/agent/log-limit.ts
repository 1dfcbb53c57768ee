import type { Clock, Log } from '../contract/index.ts'

/**
 * Bounds how much one kind of event writes: at most `lines` in `periodMs` milliseconds. What is left out is counted,
 * and the next line that is written says so as `suppressed`.
 */
export function limitLog(log: Log, clock: Clock, { lines = 5, periodMs = 10_000 } = {}): Log {
  let periodEnds = Number.NEGATIVE_INFINITY
  let left = 0
  let suppressed = 0
  return (fields, text) => {
    const now = clock.monotonic()
    if (now >= periodEnds) {
      periodEnds = now + periodMs
      left = lines
    }
    if (left === 0) {
      suppressed += 1
      return
    }
    left -= 1
    log(suppressed === 0 ? fields : { ...fields, suppressed }, text)
    suppressed = 0
  }
}
