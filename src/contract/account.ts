/** Why a message was dropped: by a policy, or since a disk lost what it had stored (`damaged`). */
export const DROP_REASONS = ['full', 'expired', 'withdrawn', 'closed', 'damaged'] as const
/** One of {@link DROP_REASONS}. */
export type DropReason = (typeof DROP_REASONS)[number]

/**
 * Where every accepted message is. At every moment
 * `accepted = delivered + pending + dead + dropped.full + dropped.expired + dropped.withdrawn + dropped.closed + dropped.damaged`.
 */
export interface Account {
  /** Messages taken over from the application. */
  readonly accepted: number
  /** Acknowledged by the broker. */
  readonly delivered: number
  /** Still to be delivered; includes what is parked. */
  readonly pending: number
  /** Of the pending ones, those whose topic is refused for now. */
  readonly parked: number
  /** Refused by the broker for good. */
  readonly dead: number
  /** Dropped by a policy that the configuration names, or lost by a disk, by reason. */
  readonly dropped: Readonly<Record<DropReason, number>>
  /** Payload bytes of the pending ones. */
  readonly pendingBytes: number
  /** How often a message was handed to a link again. */
  readonly resent: number
}
