import { BackhaulError } from '../contract/index.ts'
import { systemClock } from '../kit/system-clock.ts'

/** A limit of time over several steps, beginning now. */
export interface Deadline {
  /** Milliseconds that are left, at least 1; `undefined` where there is no limit. */
  leftMs(): number | undefined
  /** Aborts, with a `TIMEOUT` error as its reason, when the time is over. */
  readonly signal: AbortSignal
  /** Ends it without consequences. */
  cancel(): void
}

/**
 * Starts a deadline.
 *
 * @param what - completes "Cannot ...", called when the time is over
 */
export function startDeadline(limitMs: number | undefined, what: () => string): Deadline {
  const controller = new AbortController()
  if (limitMs === undefined) {
    return { leftMs: () => undefined, signal: controller.signal, cancel: () => undefined }
  }
  const endsAt = performance.now() + limitMs
  const timer = systemClock.after(limitMs, () => {
    controller.abort(
      new BackhaulError(
        'TIMEOUT',
        `Cannot ${what()}: the deadline of ${limitMs} ms passed, raise --deadline`,
      ),
    )
  })
  return {
    leftMs: () => Math.max(1, Math.round(endsAt - performance.now())),
    signal: controller.signal,
    cancel: () => timer.cancel(),
  }
}
