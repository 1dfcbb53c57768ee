import type { Account, BackhaulError, DropReason } from '../contract/index.ts'
import type { Entry, LaneIndex } from './entry.ts'

/**
 * How a message leaves the outbox. A durable store keeps count of these with its cursor, so that the account is
 * right after a start too.
 */
export type Ending = 'delivered' | 'dead' | DropReason

/**
 * Takes a report of dropped messages. A drop may be reported in several calls: counts add up, and each `entry` whose
 * `settled` is still in memory comes once. It only takes note: it never calls the store.
 */
export type Dropped = (messages: number, bytes: number, entry: Entry | undefined) => void

/** What a store tells by itself. Calls may come at any time after `attach()`, but never inside a call of the store. */
export interface StoreEvents {
  /** There may be something to take, or room for more: whoever stood waiting may look again. */
  changed(): void
  /** The store dropped messages by itself (a whole segment that became too old, a disk that ran short). */
  dropped(
    lane: LaneIndex,
    reason: DropReason,
    messages: number,
    bytes: number,
    entry: Entry | undefined,
  ): void
  /** Appended messages could not be made safe: their `safe()` rejects, so they never were accepted. */
  neverSafe(messages: number, bytes: number): void
}

/**
 * Where accepted messages wait: in memory, or on disk. The pump decides what happens to a message; the store only
 * keeps it. Each priority class is a log of its own (a lane), first in, first out.
 *
 * The life of an entry: `append` (the store has it), `take` (the pump has it), then `remove` (it is over) or `park`
 * (the store has it again, in the side log of its topic), `takeParked` (the pump has it again). The pump never gives an
 * entry back to the lane: what failed it keeps itself, and that is never more than a window's worth.
 *
 * No call waits. What takes time goes by other ways: `safe()` tells when appended messages are safe, and a `peek` that
 * gives nothing while messages wait means that they are being read; `changed()` follows. Removing is in any order.
 */
export interface Store {
  /** True where what is pending survives `close()` and the process. */
  readonly durable: boolean
  /** How the account stood when the store was opened: all zero for a new one. */
  readonly opening: Account
  /** How many messages are parked now. */
  readonly parked: number

  /** Payload bytes of what is parked now. */
  readonly parkedBytes: number

  /** Why nothing can be taken over for now, where waiting for room would be in vain. Absent: it can, or there may be room later. */
  readonly refusal?: BackhaulError | undefined

  /** Names the one that is told. Called once, before everything else. */
  attach(events: StoreEvents): void
  /** Whether so many payload bytes more fit, whatever the limits of the pump say: a disk may be full. */
  hasRoom(bytes: number): boolean
  /**
   * Adds a message at the end of its lane and gives it its `sequence`. The bytes are the store's from now on.
   *
   * @throws BackhaulError when the store cannot take it; then nothing has happened.
   */
  append(entry: Entry): void
  /**
   * `undefined` when everything that was appended is safe by this store's promise. Otherwise a promise of just that:
   * one for all that share a commit. It rejects with a BackhaulError when they could not be made safe.
   */
  safe(): Promise<void> | undefined

  /** The first entry of a lane that can be taken now, without taking it; the same one until it is taken or dropped. */
  peek(lane: LaneIndex): Entry | undefined
  /** Takes what `peek()` shows. */
  take(lane: LaneIndex): Entry | undefined
  /** Ends an entry that was taken. `error` says why it is dead. */
  remove(entry: Entry, ending: Ending, error?: BackhaulError): void

  /** Takes note of what the account shows and no other call tells: messages that found no room, or went out again. */
  note(what: 'turnedAway' | 'resent', messages: number): void

  /** Moves an entry that was taken to the side log of its topic, which stays in order of `sequence`. */
  park(entry: Entry): void
  /** The topics with something parked in a lane. */
  parkedTopics(lane: LaneIndex): Iterable<string>
  /** How many messages of a topic are parked in a lane. */
  parkedCount(lane: LaneIndex, topic: string): number
  /** The first parked entry of a topic that can be taken now, without taking it. */
  peekParked(lane: LaneIndex, topic: string): Entry | undefined
  /** Takes what `peekParked()` shows. */
  takeParked(lane: LaneIndex, topic: string): Entry | undefined

  /** Drops at least the first parked message of the topic that has been parked longest; false when none is parked. */
  dropParked(lane: LaneIndex, dropped: Dropped): boolean
  /** Drops at least the first message of the lane that was not taken; false when there is none. */
  dropOldest(lane: LaneIndex, dropped: Dropped): boolean
  /**
   * Drops what has expired, or was withdrawn, among the messages that were not taken, as far as that is cheap.
   *
   * @param monotonicMs - the time; `-Infinity` while nothing may expire
   * @returns the earliest deadline left (monotonic milliseconds), `Infinity` when there is none
   */
  sweep(lane: LaneIndex, monotonicMs: number, dropped: Dropped): number

  /**
   * Ends the store. Where it is not durable, everything that was not taken is reported as dropped; where it is,
   * only entries with a `settled` are, with no count. Twice is fine.
   */
  close(
    dropped: (lane: LaneIndex, messages: number, bytes: number, entry: Entry | undefined) => void,
  ): Promise<void>
}
