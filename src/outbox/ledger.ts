import type { Account, Clock, DropReason, Message } from '../contract/index.ts'
import { BackhaulError, PRIORITIES } from '../contract/index.ts'
import type { DeadEvent, DroppedEvent } from './channels.ts'
import { deadChannel, droppedChannel } from './channels.ts'
import { DeadLetters } from './dead-letters.ts'
import type { Entry, LaneIndex, Settled } from './entry.ts'
import type { Store } from './store.ts'

/** Is told of each message that the broker refused for good. */
export type OnDead = (message: Message, error: BackhaulError) => void

/**
 * Every way into the outbox and out of it is one method here, so that the account holds at every moment:
 * `accepted = delivered + pending + dead + dropped`. Each way out tells the store, then whoever waits for the message,
 * exactly once and last of all, so that a callback may call anything.
 *
 * A drop is told in a microtask: it can happen inside `add()`, and a callback that adds again must not go round in circles.
 */
export class Ledger {
  readonly #store: Store
  readonly #clock: Clock
  readonly #onDead: OnDead | undefined
  readonly #dropped: Record<DropReason, number>
  #accepted: number
  #delivered: number
  #dead: number
  #pending: number
  #pendingBytes: number
  #resent: number
  /** The latest messages that were refused for good. */
  readonly deadLetters = new DeadLetters()

  /** Goes on from the store's account. */
  constructor(store: Store, clock: Clock, onDead: OnDead | undefined) {
    const { opening } = store
    this.#store = store
    this.#clock = clock
    this.#onDead = onDead
    this.#accepted = opening.accepted
    this.#delivered = opening.delivered
    this.#dead = opening.dead
    this.#dropped = { ...opening.dropped }
    this.#pending = opening.pending
    this.#pendingBytes = opening.pendingBytes
    this.#resent = opening.resent
  }

  /** Messages that are accepted and not over. */
  get pending(): number {
    return this.#pending
  }

  /** Their payload bytes. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** The account as it stands. */
  snapshot(): Account {
    return {
      accepted: this.#accepted,
      delivered: this.#delivered,
      pending: this.#pending,
      parked: this.#store.parked,
      dead: this.#dead,
      dropped: { ...this.#dropped },
      pendingBytes: this.#pendingBytes,
      resent: this.#resent,
    }
  }

  /** Takes a message over: the store has it from now on. */
  accept(entry: Entry): void {
    this.#store.append(entry)
    this.#accepted += 1
    this.#pending += 1
    this.#pendingBytes += entry.bytes
  }

  /** The broker has it. */
  delivered(entry: Entry): void {
    this.#leave(1, entry.bytes)
    this.#delivered += 1
    this.#store.remove(entry, 'delivered')
    if (entry.settled !== undefined) tell(entry.settled, undefined)
  }

  /** The broker will not have it, for good. */
  dead(entry: Entry, error: BackhaulError): void {
    const { message } = entry
    this.#leave(1, entry.bytes)
    this.#dead += 1
    this.#store.remove(entry, 'dead', error)
    this.deadLetters.add({ message, error, atMs: this.#clock.now() })
    if (deadChannel.hasSubscribers) {
      deadChannel.publish({ message, priority: PRIORITIES[entry.lane], error } satisfies DeadEvent)
    }
    const onDead = this.#onDead
    if (onDead !== undefined) tell(() => onDead(message, error), error)
    if (entry.settled !== undefined) tell(entry.settled, error)
  }

  /** A policy drops an entry that the pump had taken. */
  drop(entry: Entry, reason: DropReason): void {
    this.#store.remove(entry, reason)
    this.noteDrop(entry.lane, reason, 1, entry.bytes, entry)
  }

  /** The store dropped messages by a policy. */
  noteDrop(
    lane: LaneIndex,
    reason: DropReason,
    messages: number,
    bytes: number,
    entry: Entry | undefined,
  ): void {
    this.#leave(messages, bytes)
    this.#dropped[reason] += messages
    tellDropped(lane, reason, messages, bytes)
    if (entry?.settled !== undefined) tellLater(entry.settled, dropError(entry, reason))
  }

  /**
   * A new message found no room: it comes and goes at once, so that the account shows the loss.
   *
   * @param isRefused - its topic is refused for now, and that is why
   */
  turnAway(entry: Entry, isRefused: boolean): BackhaulError {
    this.#accepted += 1
    this.#dropped.full += 1
    this.#store.note('turnedAway', 1)
    tellDropped(entry.lane, 'full', 1, entry.bytes)
    const why = isRefused
      ? 'the broker refuses this topic and the share of the outbox for such messages is full, grant the right or raise the limit of the outbox'
      : 'the outbox is full, wait or raise its limit'
    const text = `Cannot accept the message for "${entry.message.topic}": ${why}`
    return new BackhaulError('OUTBOX_FULL', text)
  }

  /** Ends the wait of whoever asks about a message that stays in a durable store. */
  leaveBehind(entry: Entry): void {
    if (entry.settled !== undefined) tellLater(entry.settled, dropError(entry, 'closed'))
  }

  /** The store could not make appended messages safe: they never were accepted. */
  neverAccepted(messages: number, bytes: number): void {
    this.#leave(messages, bytes)
    this.#accepted -= messages
  }

  /** Messages are handed to a link again. */
  resend(messages: number): void {
    this.#resent += messages
    this.#store.note('resent', messages)
  }

  #leave(messages: number, bytes: number): void {
    this.#pending -= messages
    this.#pendingBytes -= bytes
  }
}

const DROP_ERRORS = {
  full: {
    code: 'OUTBOX_FULL',
    text: 'the outbox is full and newer messages took its place, raise the limit of the outbox',
  },
  expired: {
    code: 'EXPIRED',
    text: 'it became older than its limit, raise the age limit or mend what kept it',
  },
  withdrawn: { code: 'ABORTED', text: 'whoever sent it gave up, send it again' },
  damaged: { code: 'OUTBOX_FAILED', text: 'the disk lost it, check the disk' },
  closed: { code: 'CLOSED', text: 'the outbox was closed before, drain it before closing' },
} as const

function dropError({ message }: Entry, reason: DropReason): BackhaulError {
  const { code, text } = DROP_ERRORS[reason]
  return new BackhaulError(code, `Cannot deliver the message for "${message.topic}": ${text}`)
}

function tellDropped(lane: LaneIndex, reason: DropReason, messages: number, bytes: number): void {
  if (messages === 0 || !droppedChannel.hasSubscribers) return
  droppedChannel.publish({ reason, priority: PRIORITIES[lane], messages, bytes } satisfies DroppedEvent)
}

/** A callback that throws is a bug of its owner: it surfaces there, and the outbox goes on. */
function tell(settled: Settled, error: BackhaulError | undefined): void {
  try {
    settled(error)
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown
    })
  }
}

function tellLater(settled: Settled, error: BackhaulError): void {
  queueMicrotask(() => settled(error))
}
