import { BackhaulError } from '../../contract/index.ts'

/** Lets whoever waits look again whenever something has happened. */
export class Watch {
  readonly #looks = new Set<() => void>()

  /** Something has happened. */
  readonly notify = (): void => {
    for (const look of this.#looks) look()
  }

  /**
   * Waits until a condition holds, looking at it at each `notify()`.
   *
   * @param what - completes "Cannot see that ...", for the error
   * @throws BackhaulError `TIMEOUT` after `limitMs`; the signal's reason
   */
  async until(holds: () => boolean, what: string, limitMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (holds()) return
    await new Promise<void>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer)
        this.#looks.delete(look)
        signal.removeEventListener('abort', onAbort)
        settle()
      }
      const look = (): void => {
        if (holds()) finish(resolve)
      }
      const onAbort = (): void => finish(() => reject(signal.reason))
      const timer = setTimeout(() => finish(() => reject(tooLate(what, limitMs))), limitMs)
      this.#looks.add(look)
      signal.addEventListener('abort', onAbort)
    })
  }
}

function tooLate(what: string, limitMs: number): BackhaulError {
  return new BackhaulError(
    'TIMEOUT',
    `Cannot see that ${what}: nothing of it within ${limitMs} ms, try again`,
  )
}
