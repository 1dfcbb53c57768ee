import type { BackhaulError, Clock, Message, Priority } from '../contract/index.ts'

/** Tells what became of an accepted message: `undefined` when the broker has it, else why it will never go out. */
export type Settled = (error: BackhaulError | undefined) => void

/** The position of a priority class: 0 is the most urgent one. */
export type LaneIndex = 0 | 1 | 2

/** The classes, most urgent first. */
export const LANES: readonly LaneIndex[] = [0, 1, 2]

/** The class of each priority. */
export const LANE_OF: Readonly<Record<Priority, LaneIndex>> = { control: 0, alarm: 1, telemetry: 2 }

/** When a message becomes too old. */
export interface Expiry {
  /** By the wall clock, in milliseconds since 1970: what is written to disk. */
  readonly atMs: number
  /** By the monotonic clock of this process: what counts while it lives, whatever the wall clock does. */
  readonly deadlineMs: number
}

/**
 * Where whoever adds a message and may change their mind follows it. `Pump.withdraw()` stops what is not on its way: it
 * is dropped, with the reason `withdrawn`, when its turn to go out comes, or within about a second.
 */
export class Ticket {
  /** True once the message was handed to a link: it may have arrived. */
  wentOut = false
  /** True once the message shall not be sent, or not be sent again. */
  withdrawn = false
}

/** Why an entry that is not on its way shall be dropped: a policy of its own, or its owner's word. */
export function dropReason(
  entry: Pick<Entry, 'ticket' | 'expiry'>,
  monotonicMs: number,
): 'withdrawn' | 'expired' | undefined {
  if (entry.ticket?.withdrawn === true) return 'withdrawn'
  return entry.expiry !== undefined && entry.expiry.deadlineMs <= monotonicMs ? 'expired' : undefined
}

/**
 * One accepted message on its way through the outbox: the only object that is made for each.
 * The pump owns it from `take()` until `remove()` or `park()`; before and after it is the store's.
 */
export class Entry {
  /** The message. */
  readonly message: Message
  /** Payload bytes. */
  readonly bytes: number
  /** Its class. */
  readonly lane: LaneIndex
  /** Its age limit, where it has one. */
  readonly expiry: Expiry | undefined
  /** Who wants to know how it ends. */
  readonly settled: Settled | undefined
  /** Who may withdraw it. */
  readonly ticket: Ticket | undefined
  /** Whether `settled` need only be called while someone else holds it too. */
  isWeak = false
  /** Its place in its class: the store counts up at `append()`. */
  sequence = 0
  /** How often it was handed to a link. */
  attempts = 0

  /** Makes the record of one message; the store gives it its place. */
  constructor(
    message: Message,
    lane: LaneIndex,
    expiry: Expiry | undefined,
    settled: Settled | undefined,
    ticket?: Ticket,
  ) {
    this.message = message
    this.bytes = message.payload.byteLength
    this.lane = lane
    this.expiry = expiry
    this.settled = settled
    this.ticket = ticket
  }
}

/**
 * Pins an age limit of the wall clock to the monotonic one, so that a later jump of the wall clock ages nothing.
 * A store does the same for what it finds at a start.
 *
 * @param atMs - milliseconds since 1970
 */
export function expiryAt(atMs: number, clock: Clock): Expiry {
  return { atMs, deadlineMs: clock.monotonic() + (atMs - clock.now()) }
}
