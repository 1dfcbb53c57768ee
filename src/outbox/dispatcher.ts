import { setMaxListeners } from 'node:events'

import type { BackhaulError, Capabilities, Clock, Message, Outcome, Settle } from '../contract/index.ts'
import { backoff } from '../kit/backoff.ts'
import { Alarm } from './alarm.ts'
import type { ResentEvent } from './channels.ts'
import { resentChannel } from './channels.ts'
import type { Entry } from './entry.ts'
import type { Lanes } from './lanes.ts'
import type { Batch } from './window.ts'
import { Window } from './window.ts'

/** Hands a batch to the link: the contract's `Link.publish`. */
export type Publish = (batch: readonly Message[], settle: Settle, signal: AbortSignal) => void

/** What the dispatcher of a link needs of the pump. */
export interface DispatchContext {
  /** The link. */
  readonly publish: Publish
  /** Where messages come from. */
  readonly lanes: Lanes
  /** Time, for the pause after a failure. */
  readonly clock: Clock
  /** The window in payload bytes. */
  readonly maxInFlightBytes: number
  /** A message was not delivered and goes out again. */
  putBack(entry: Entry): void
  /** A topic was refused. */
  refused(entry: Entry, error: BackhaulError): void
  /** Messages were handed to a link again. */
  resend(messages: number): void
  /** Messages have left the outbox, or moved: there may be room, or nothing pending. */
  moved(): void
}

const PAUSE_MIN_MS = 100
const PAUSE_MAX_MS = 5000
/** At least so many messages go out in one turn before the event loop gets its own. */
const MIN_TURN = 1024

/**
 * Hands messages to one link, from its start to its end, and takes their outcomes.
 *
 *   flowing ── a message fails ──▶ held: nothing goes out ── the window is empty ──▶ pause ──▶ flowing
 *
 * The pause doubles from 100 ms to 5 s, and starts small again once something was delivered.
 */
export class Dispatcher {
  readonly #context: DispatchContext
  readonly #capabilities: Capabilities
  readonly #window: Window
  readonly #abort = new AbortController()
  readonly #pause: Alarm
  #pauses: Generator<number, never> | undefined
  #held = false
  #ended = false
  #woken = false
  #wokenLater = false

  /** The link is there. Call `wake()` to begin. */
  constructor(context: DispatchContext, capabilities: Capabilities) {
    this.#context = context
    this.#capabilities = capabilities
    this.#window = new Window(capabilities.maxInFlight, context.maxInFlightBytes)
    // a link may listen once a batch, and many batches may be on their way: that is no leak
    setMaxListeners(0, this.#abort.signal)
    this.#pause = new Alarm(context.clock, () => {
      this.#held = false
      this.#run()
    })
  }

  /** What is on its way: messages and payload bytes. */
  get inFlight(): { readonly messages: number; readonly bytes: number } {
    return this.#window
  }

  /** Something may go out: it does so in a microtask, together with what else comes in this turn. */
  wake(): void {
    if (this.#woken || !this.#mayHandOut()) return
    this.#woken = true
    queueMicrotask(() => {
      this.#woken = false
      this.#run()
    })
  }

  /** The link ended. Gives back what was on its way and the link does not settle now. */
  end(): Entry[] {
    this.#pause.cancel()
    // the link settles what it still can, which is put back like any other failure
    this.#held = true
    this.#abort.abort()
    this.#ended = true
    return this.#window.takeBack()
  }

  /** In the next turn of the event loop: outcomes that come in one turn make room for one batch. */
  #wakeLater(): void {
    if (this.#wokenLater || !this.#mayHandOut()) return
    this.#wokenLater = true
    setImmediate(() => {
      this.#wokenLater = false
      this.#run()
    })
  }

  #mayHandOut(): boolean {
    return !this.#ended && !this.#held
  }

  #run(): void {
    let left = Math.max(MIN_TURN, this.#capabilities.maxInFlight)
    while (left > 0 && this.#mayHandOut()) {
      const messages = this.#handOut()
      if (messages === 0) break
      left -= messages
    }
    if (left <= 0 || this.#context.lanes.wasInterrupted()) this.#wakeLater()
    this.#context.moved()
  }

  /** Hands out one batch; gives its number of messages. */
  #handOut(): number {
    const lanes = this.#context.lanes
    const window = this.#window
    const messages: Message[] = []
    const entries: (Entry | undefined)[] = []
    let bytes = 0
    let again = 0
    while (window.fits(messages.length + 1, bytes)) {
      const entry = lanes.peek()
      if (entry === undefined) break
      const total = bytes + entry.bytes
      if (messages.length > 0 && total > this.#capabilities.maxBatchBytes) break
      if (!window.fits(messages.length + 1, total)) break
      lanes.take(entry)
      if (entry.attempts > 0) again += 1
      entry.attempts += 1
      if (entry.ticket !== undefined) entry.ticket.wentOut = true
      messages.push(entry.message)
      entries.push(entry)
      bytes = total
    }
    if (messages.length === 0) return 0
    if (again > 0) this.#tellResent(again)
    const batch = window.open(entries, bytes)
    this.#context.publish(
      messages,
      (index, outcome) => this.#settle(batch, index, outcome),
      this.#abort.signal,
    )
    return messages.length
  }

  #settle(batch: Batch, index: number, outcome: Outcome): void {
    const entry = this.#window.settle(batch, index)
    if (entry === undefined) return
    if (outcome.kind === 'delivered') {
      this.#pauses = undefined
      this.#context.lanes.of(entry).delivered(entry)
    } else if (outcome.kind === 'failed' || outcome.scope === 'link') {
      this.#held = true
      this.#context.putBack(entry)
    } else if (outcome.scope === 'topic') {
      this.#context.refused(entry, outcome.error)
    } else {
      this.#context.lanes.of(entry).dead(entry, outcome.error)
    }
    if (this.#held) this.#pauseWhenEmpty()
    else this.#wakeLater()
    this.#context.moved()
  }

  #pauseWhenEmpty(): void {
    if (this.#window.messages > 0 || this.#ended || this.#abort.signal.aborted) return
    this.#pauses ??= backoff(PAUSE_MIN_MS, PAUSE_MAX_MS, () => 1)
    this.#pause.set(this.#context.clock.monotonic() + this.#pauses.next().value)
  }

  #tellResent(messages: number): void {
    this.#context.resend(messages)
    if (resentChannel.hasSubscribers) resentChannel.publish({ messages } satisfies ResentEvent)
  }
}
