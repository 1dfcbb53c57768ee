import type { Account, Capabilities, Clock, Message, Priority } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { deferred } from '../kit/deferred.ts'
import { systemClock } from '../kit/system-clock.ts'
import type { Limits } from './admission.ts'
import { Admission } from './admission.ts'
import { Alarm } from './alarm.ts'
import type { DeadLetter } from './dead-letters.ts'
import type { DispatchContext, Publish } from './dispatcher.ts'
import { Dispatcher } from './dispatcher.ts'
import { Drains } from './drains.ts'
import type { Settled } from './entry.ts'
import { Entry, expiryAt, LANE_OF } from './entry.ts'
import type { Ticket } from './entry.ts'
import { expiryTime } from './lane.ts'
import { Lanes } from './lanes.ts'
import type { OnDead } from './ledger.ts'
import { Ledger } from './ledger.ts'
import type { ParkedTopic } from './parking.ts'
import type { Store } from './store.ts'

/*
 * The pump is the one owner of sending again. An accepted message is in exactly one place: in the store (it waits, or is
 * parked), with its lane (it failed, or stands aside), or in the window of the link (it is on its way).
 *
 * - Batches: the first message goes out in the same turn, in a microtask; what queues up while the window is full goes out
 *   together once there is room. There is no timer for it.
 * - Order per key, within a class: when a message fails while the link stays, nothing more is handed out until everything
 *   on its way has settled. By then all that failed is back at the front, in order, and goes out again after a pause.
 * - The end of a link takes back everything on its way at once; what the link says afterwards is ignored.
 * - No callback is called before the state is right: each may call `add()`, `close()` or anything else.
 */

/** How a pump is made. */
export interface PumpOptions {
  /** Where batches go while a link is there. */
  readonly publish: Publish
  /** Where messages wait. The pump closes it. */
  readonly store: Store
  /** Time. @default the machine's */
  readonly clock?: Clock | undefined
  /** How much may be pending, and what happens then. @default 100,000 messages, 64 MiB, `block` */
  readonly limits?: Partial<Limits> | undefined
  /** Messages of a refused topic are kept and tried again; otherwise they are dead letters. @default true */
  readonly parkRefused?: boolean | undefined
  /** How often a refused topic is tried, in milliseconds. @default 30,000 */
  readonly parkRetryMs?: number | undefined
  /** How many payload bytes may be on their way at once. @default 8 MiB */
  readonly maxInFlightBytes?: number | undefined
  /** Is told of each message that the broker refused for good. */
  readonly onDead?: OnDead | undefined
}

/** How one message is sent. */
export interface AddOptions {
  /** Its class. @default 'telemetry' */
  readonly priority?: Priority | undefined
  /** When it becomes too old, in milliseconds since 1970. @default never */
  readonly expiresAtMs?: number | undefined
  /** Gives up the wait for room. It does nothing to a message that was accepted. */
  readonly signal?: AbortSignal | undefined
  /**
   * `settled` is called only if someone else still holds it then: so a large backlog need not remember who once might ask.
   *
   * @default false
   */
  readonly weak?: boolean | undefined
  /** Follows the message, and can withdraw it. */
  readonly ticket?: Ticket | undefined
}

const DEFAULT_LIMITS: Limits = { maxMessages: 100_000, maxBytes: 64 * 1024 * 1024, policy: 'block' }
/** What has expired is looked for at most so often, ... */
const SWEEP_MIN_MS = 1000
/** ... and at least so often while something can expire. */
const SWEEP_MAX_MS = 600_000

/** Takes messages over, and sends each until the broker has it, has refused it for good, or a policy drops it. */
export class Pump {
  readonly #store: Store
  readonly #clock: Clock
  readonly #limits: Limits
  readonly #parkRefused: boolean
  readonly #parkRetryMs: number
  readonly #ledger: Ledger
  readonly #lanes: Lanes
  readonly #admission: Admission
  readonly #dispatch: DispatchContext
  readonly #drains = new Drains()
  readonly #parkRetry: Alarm
  readonly #sweep: Alarm
  readonly #ended = deferred()
  #isClosed = false
  #link: Dispatcher | undefined
  #maxPayloadBytes = Infinity

  /** Takes up what the store holds. Nothing goes out before `linkUp()`. */
  constructor(options: PumpOptions) {
    const { store, clock = systemClock } = options
    this.#store = store
    this.#clock = clock
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#listen()
    this.#parkRefused = options.parkRefused ?? true
    this.#parkRetryMs = options.parkRetryMs ?? 30_000
    this.#ledger = new Ledger(store, clock, options.onDead)
    this.#lanes = new Lanes(store, this.#ledger, clock)
    this.#admission = new Admission(this.#limits.policy, {
      fits: (entry) => this.#fits(entry),
      isHeld: (entry) => this.#isHeld(entry),
      accept: (entry) => this.#accept(entry),
      makeRoom: (entry) => this.#makeRoom(entry),
      turnAway: (entry) => this.#ledger.turnAway(entry, this.#isHeld(entry)),
    })
    this.#dispatch = {
      publish: options.publish,
      lanes: this.#lanes,
      clock,
      maxInFlightBytes: options.maxInFlightBytes ?? 8 * 1024 * 1024,
      putBack: (entry) => this.#putBack(entry),
      refused: (entry, error) => this.#refused(entry, error),
      resend: (messages) => this.#ledger.resend(messages),
      moved: () => this.#moved(),
    }
    this.#parkRetry = new Alarm(clock, () => this.#retryParked())
    this.#sweep = new Alarm(clock, () => this.#sweepNow())
    if (store.opening.pending > 0) this.#sweep.set(clock.monotonic() + SWEEP_MIN_MS)
  }

  /**
   * Takes a message over. `undefined` says that it is safe already; a promise resolves when it is: once the policy `block`
   * has found room for it, and a durable store has it. `settled` is never told of a message that was not taken over.
   *
   * @param settled - called once, when the message is over: with `undefined` when the broker has it, with an error when it
   * is dead or dropped; never inside `add()` itself
   * @throws BackhaulError `OUTBOX_FULL` (by a policy that drops), `OUTBOX_FAILED` (on a read-only disk), `MESSAGE_TOO_LARGE`, `CLOSED`, `ABORTED`; the promise
   * rejects with `CLOSED`, `ABORTED`, or what kept a durable store from making it safe
   */
  add(message: Message, options: AddOptions = {}, settled?: Settled): Promise<void> | undefined {
    const { priority, expiresAtMs, signal, ticket, weak } = options
    if (this.#isClosed) throw refusal('CLOSED', message, 'the outbox is closed, open a new connection')
    if (signal?.aborted === true) {
      throw refusal('ABORTED', message, 'the caller gave up, call again', signal.reason)
    }
    const { refusal: cause } = this.#store
    if (cause !== undefined)
      throw refusal('OUTBOX_FAILED', message, 'its disk is read-only, make it writable', cause)
    const expiry = expiresAtMs === undefined ? undefined : expiryAt(expiresAtMs, this.#clock)
    const entry = new Entry(message, LANE_OF[priority ?? 'telemetry'], expiry, settled, ticket)
    if (weak === true) entry.isWeak = true
    const limit = Math.min(this.#maxPayloadBytes, this.#limits.maxBytes)
    if (entry.bytes > limit) {
      const state = `its ${entry.bytes} bytes are over the limit of ${limit}, send less or raise the limit`
      throw refusal('MESSAGE_TOO_LARGE', message, state)
    }
    return this.#admission.admit(entry, signal)
  }

  /**
   * Whoever added a message gave it up: it is not sent, or not sent again. What is on its way stays so, and may arrive.
   *
   * @param ticket - the one that it was added with
   */
  withdraw(ticket: Ticket): void {
    ticket.withdrawn = true
    this.#setSweep(this.#clock.monotonic())
  }

  /** A link is there: everything that waits goes out over it. */
  linkUp(capabilities: Capabilities): void {
    this.linkDown()
    if (this.#isClosed) return
    this.#maxPayloadBytes = capabilities.maxPayloadBytes
    this.#lanes.linkUp(capabilities.keepsOrderAfterFailure)
    this.#link = new Dispatcher(this.#dispatch, capabilities)
    this.#setParkRetry()
    this.#link.wake()
  }

  /** The link ended: what was on its way goes out again over the next one. Without a link it does nothing. */
  linkDown(): void {
    const link = this.#link
    if (link === undefined) return
    for (const entry of link.end()) this.#putBack(entry)
    // a callback of the ending link may have brought the next one
    if (this.#link !== link) return
    this.#link = undefined
    this.#lanes.linkDown()
    this.#parkRetry.cancel()
  }

  /** Where every accepted message is. */
  get account(): Account {
    return this.#ledger.snapshot()
  }

  /** The latest messages that the broker refused for good, oldest first. */
  get deadLetters(): readonly DeadLetter[] {
    return this.#ledger.deadLetters.latest
  }

  /** The topics that the broker refuses for now. */
  get parkedTopics(): readonly ParkedTopic[] {
    return this.#lanes.parkedTopics()
  }

  /**
   * Resolves when nothing is pending and nobody waits for room.
   *
   * @throws BackhaulError `ABORTED`, or `CLOSED` when the outbox is closed while messages are pending.
   */
  async drain(signal?: AbortSignal): Promise<void> {
    if (this.#isIdle()) return
    if (this.#isClosed) throw drainClosed()
    await this.#drains.wait(signal)
  }

  /**
   * Ends everything at once: what is on its way is given up, and what is pending is dropped with the reason `closed`,
   * unless the store is durable. Every `settled` has been called when it resolves. Twice is fine.
   */
  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true
      void this.#end().then(this.#ended.resolve, this.#ended.reject)
    }
    return this.#ended.promise
  }

  async #end(): Promise<void> {
    this.linkDown()
    this.#sweep.cancel()
    this.#admission.close(
      new BackhaulError('CLOSED', 'Cannot accept the message: the outbox was closed, open a new connection'),
    )
    for (const entry of this.#lanes.empty()) {
      if (this.#store.durable) this.#ledger.leaveBehind(entry)
      else this.#ledger.drop(entry, 'closed')
    }
    await this.#store.close((lane, messages, bytes, entry) =>
      this.#ledger.noteDrop(lane, 'closed', messages, bytes, entry),
    )
    this.#drains.reject(drainClosed())
  }

  #listen(): void {
    this.#store.attach({
      changed: () => {
        this.#link?.wake()
        this.#moved()
      },
      dropped: (lane, reason, messages, bytes, entry) => {
        this.#ledger.noteDrop(lane, reason, messages, bytes, entry)
        this.#moved()
      },
      neverSafe: (messages, bytes) => {
        this.#ledger.neverAccepted(messages, bytes)
        this.#moved()
      },
    })
  }

  #fits(entry: Entry): boolean {
    return this.#fitsWaiting(entry) && this.#fitsParked(entry) && this.#store.hasRoom(entry.bytes)
  }

  /** What is parked does not take the place of what waits. */
  #fitsWaiting({ bytes }: Entry): boolean {
    const waiting = this.#ledger.pending - this.#store.parked
    const waitingBytes = this.#ledger.pendingBytes - this.#store.parkedBytes
    return waiting < this.#limits.maxMessages && waitingBytes + bytes <= this.#limits.maxBytes
  }

  /** What is parked has its share, and both together have theirs: a topic may be refused when its messages are there already. */
  #fitsParked(entry: Entry): boolean {
    const { pending, pendingBytes } = this.#ledger
    const { maxMessages, maxBytes } = this.#limits
    const { messages, bytes } = this.#parkedShare
    return (
      pending < maxMessages + messages &&
      pendingBytes + entry.bytes <= maxBytes + bytes &&
      (!this.#lanes.of(entry).parking.holds(entry.message.topic) || this.#fitsShare(entry))
    )
  }

  /** Whether a message goes to a refused topic while the share of what is parked is full. */
  #isHeld(entry: Entry): boolean {
    return this.#lanes.of(entry).parking.refuses(entry.message.topic) && !this.#fitsShare(entry)
  }

  #fitsShare(entry: Entry): boolean {
    const { messages, bytes } = this.#parkedShare
    const { parked, parkedBytes } = this.#store
    return parked < messages && (parked === 0 || parkedBytes + entry.bytes <= bytes)
  }

  get #parkedShare(): { messages: number; bytes: number } {
    const { maxMessages, maxBytes, maxParkedMessages, maxParkedBytes } = this.#limits
    return {
      messages: maxParkedMessages ?? Math.ceil(maxMessages / 2),
      bytes: maxParkedBytes ?? Math.ceil(maxBytes / 2),
    }
  }

  #accept(entry: Entry): Promise<void> | undefined {
    this.#ledger.accept(entry)
    this.#watchExpiry(entry)
    this.#link?.wake()
    return this.#store.safe()
  }

  #makeRoom(entry: Entry): boolean {
    const { maxMessages, maxBytes } = this.#limits
    const stays = this.#link?.inFlight
    if (stays !== undefined && (stays.messages >= maxMessages || stays.bytes + entry.bytes > maxBytes)) {
      return false
    }
    while (!this.#fits(entry)) {
      // a full disk has room once files are gone, and not at once
      if (!this.#store.hasRoom(entry.bytes)) return false
      const { lane } = entry
      const dropped = (this.#fitsWaiting(entry) && this.#lanes.dropParked(lane)) || this.#lanes.dropOne(lane)
      if (!dropped) return false
    }
    return true
  }

  #putBack(entry: Entry): void {
    this.#lanes.of(entry).putBack(entry)
    this.#watchExpiry(entry)
  }

  #refused(entry: Entry, error: BackhaulError): void {
    const lane = this.#lanes.of(entry)
    if (!this.#parkRefused) {
      lane.dead(entry, error)
      return
    }
    lane.refused(entry, error)
    this.#watchExpiry(entry)
    this.#setParkRetry()
  }

  #setParkRetry(): void {
    if (this.#lanes.refusesTopics) this.#parkRetry.set(this.#clock.monotonic() + this.#parkRetryMs)
  }

  #retryParked(): void {
    this.#lanes.retryParked()
    this.#setParkRetry()
    this.#link?.wake()
  }

  #watchExpiry({ expiry }: Entry): void {
    if (expiry !== undefined) this.#setSweep(expiry.deadlineMs)
  }

  #setSweep(deadlineMs: number): void {
    if (this.#isClosed || deadlineMs === Infinity) return
    const nowMs = this.#clock.monotonic()
    this.#sweep.set(Math.min(Math.max(deadlineMs, nowMs + SWEEP_MIN_MS), nowMs + SWEEP_MAX_MS))
  }

  #sweepNow(): void {
    const timeMs = expiryTime(this.#clock)
    const earliestMs = this.#lanes.sweep(timeMs)
    // while the clock is not set nothing expires: look again later
    if (timeMs !== -Infinity) this.#setSweep(earliestMs)
    else if (earliestMs !== Infinity) this.#setSweep(this.#clock.monotonic() + SWEEP_MAX_MS)
    this.#moved()
  }

  /** Something left or moved: there may be room for those who wait, or nothing pending any more. */
  #moved(): void {
    if (this.#admission.waiting > 0) this.#admission.serve()
    if (this.#drains.size > 0 && this.#isIdle()) this.#drains.resolve()
  }

  #isIdle(): boolean {
    return this.#ledger.pending === 0 && this.#admission.waiting === 0
  }
}

function refusal(
  code: 'CLOSED' | 'ABORTED' | 'MESSAGE_TOO_LARGE' | 'OUTBOX_FAILED',
  { topic }: Message,
  state: string,
  cause?: unknown,
): BackhaulError {
  return new BackhaulError(code, `Cannot accept the message for "${topic}": ${state}`, cause)
}

function drainClosed(): BackhaulError {
  return new BackhaulError(
    'CLOSED',
    'Cannot drain the outbox: it was closed with messages pending, drain it before closing',
  )
}
