import type { BackhaulError, Message, Settle } from '../../../contract/index.ts'

/** One call of `publish()`, until all of it is settled. */
export interface Batch {
  /** The messages, in order. */
  readonly messages: readonly Message[]
  /** Takes their outcomes. */
  readonly settle: Settle
  /** Gives them up. */
  readonly signal: AbortSignal
  /** Until when a message of it must be on its way, on the monotonic clock. */
  readonly deadlineMs: number
  /** The first message that is not on its way. */
  cursor: number
  /** How many are not settled. */
  unsettled: number
}

/** One message on its way. */
export interface Slot {
  /** Its batch; `undefined` once it is settled. */
  batch: Batch | undefined
  /** Its place in the batch. */
  readonly index: number
  /** Until when the broker must confirm it, on the monotonic clock. */
  readonly deadlineMs: number
  /** Why it came back, where it did; the confirmation follows. */
  returned: BackhaulError | undefined
  /** Whether the broker has confirmed it. */
  confirmed: boolean
}
