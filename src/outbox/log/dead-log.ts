import type { BackhaulError } from '../../contract/index.ts'
import type { Entry } from '../entry.ts'
import type { SegmentLog } from './segment-log.ts'

/** Dead letters on disk: kept for an operator to look at, send again or remove. The oldest go when there are too many. */
export class DeadLog {
  /** Their log. */
  readonly log: SegmentLog
  readonly #maxBytes: number

  /** @param maxBytes - about how many bytes of files are kept */
  constructor(log: SegmentLog, maxBytes: number) {
    this.log = log
    this.#maxBytes = maxBytes
  }

  /** Keeps a message with the reason why it is dead; gives its place. */
  append({ message, lane, sequence }: Entry, error: BackhaulError | undefined, atMs: number): number {
    const kept = { code: error?.code ?? 'REFUSED', message: error?.message ?? 'No reason was given', atMs }
    return this.log.append(message, { origin: { lane, sequence }, error: kept })
  }

  /** Lets go of the oldest files over the limit. */
  trim(): void {
    let bytes = this.log.diskBytes
    for (const segment of this.log.segments.slice(0, -1)) {
      if (bytes <= this.#maxBytes) return
      bytes -= segment.size
      this.log.ackRange(segment.first, this.log.endOf(segment) - 1, 0)
    }
  }
}
