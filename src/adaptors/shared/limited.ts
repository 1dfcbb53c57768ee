import type { Clock } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'

/** How long the dial of one broker may take. */
export interface DialLimit {
  /** In milliseconds. */
  readonly timeoutMs: number
  /** Host and port, for the text. */
  readonly address: string
  /** Whoever dials may give up before. */
  readonly signal: AbortSignal
  /** Time. */
  readonly clock: Clock
}

/**
 * Runs the dial of one broker within its time.
 *
 * @throws BackhaulError what `run` throws; `TIMEOUT` where the time was over first
 */
export async function limited<T>(
  { timeoutMs, address, signal, clock }: DialLimit,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  const timer = clock.after(timeoutMs, () => late.abort())
  try {
    return await run(AbortSignal.any([signal, late.signal]))
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error
    throw new BackhaulError(
      'TIMEOUT',
      `Cannot connect to ${address}: it did not answer within ${timeoutMs} ms, check the network and the broker`,
      error,
    )
  } finally {
    timer.cancel()
  }
}
