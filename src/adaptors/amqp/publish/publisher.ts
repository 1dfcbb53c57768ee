import type { BackhaulError, Message, Outcome, Settle } from '../../../contract/index.ts'
import { BackhaulError as Failure, DELIVERED } from '../../../contract/index.ts'
import type { Deferred } from '../../../kit/deferred.ts'
import { deferred } from '../../../kit/deferred.ts'
import { Ring } from '../../../kit/ring.ts'
import { SignalWatch } from '../../shared/signal-watch.ts'
import type { Refusal } from '../errors.ts'
import { aborted, brokerBlocked, late, notTaken, refused, returned } from '../errors.ts'
import type { AmqpOptions } from '../options.ts'
import type { Arrival } from '../session/channel.ts'
import { Channel } from '../session/channel.ts'
import type { AmqpConnection } from '../session/connection.ts'
import * as methods from '../wire/methods.ts'
import { METHOD, REPLY } from '../wire/protocol.ts'
import type { Batch, Slot } from './batch.ts'
import { isCulprit } from './culprit.ts'
import { MessageEncoder } from './encoder.ts'

/*
 * What goes out: batches in their order, at most `maxInFlight` messages written and unconfirmed. The window holds a slot for each written
 * message; the broker's confirmations number them from `#first` on, may come in any order, and may cover many at once. A slot that is
 * settled early (aborted, overdue) stays in the window until its confirmation comes, and then means nothing.
 *
 * A message that no queue takes comes back before it is confirmed; its slot remembers that.
 *
 * The broker says no to a message by ending the channel: what was written after that message is dropped, and confirmations of what was written before
 * it may be lost. Those that it meant are refused, the others fail and are sent again; then a new channel is opened.
 *
 * States: opening (a channel is not granted yet: nothing is written), open, ended.
 */

/** Whom a publisher tells. */
export interface PublisherHost {
  /** The link must end. */
  end(error: BackhaulError): void
  /** Monotonic milliseconds. */
  now(): number
}

/** The sending half of a link. */
export class Publisher {
  readonly #connection: AmqpConnection
  readonly #options: AmqpOptions
  readonly #host: PublisherHost
  readonly #encoder: MessageEncoder
  readonly #waiting = new Ring<Batch>()
  readonly #window = new Ring<Slot>()
  readonly #signals = new SignalWatch((signal) => this.#abort(signal))
  #channel: Channel | undefined
  #open = false
  /** The number of the first slot of the window. */
  #first = 1
  #unsettled = 0
  #idle: Deferred<void> | undefined
  #ended: BackhaulError | undefined

  constructor(connection: AmqpConnection, options: AmqpOptions, host: PublisherHost) {
    this.#connection = connection
    this.#options = options
    this.#host = host
    this.#encoder = new MessageEncoder(connection.output, options, connection.terms.frameMax)
  }

  /**
   * Opens the channel, and checks or makes the exchange.
   *
   * @throws BackhaulError the refusal
   */
  async begin(): Promise<void> {
    const channel = new Channel(this.#connection, this.#options.contentType, {
      returned: (message, refusal) => this.#returned(message, refusal),
      confirmed: (tag, multiple, taken) => this.#confirmed(tag, multiple, taken),
      closed: (refusal) => this.#refused(refusal),
      lost: () => undefined,
    })
    this.#channel = channel
    const { exchange, exchangeType: type, durable, declareExchange } = this.#options
    const { number } = channel
    const what = `use the exchange "${exchange}"`
    const frame = methods.exchangeDeclare(number, { name: exchange, type, durable, check: !declareExchange })
    await Promise.all([
      channel.open(),
      channel.ask(what, frame, METHOD.exchangeDeclareOk),
      channel.ask('have messages confirmed', methods.confirmSelect(number), METHOD.confirmSelectOk),
    ])
    this.#first = 1
    this.#open = true
    this.pump()
  }

  /** Resolves when everything is settled. */
  idle(): Promise<void> {
    if (this.#unsettled === 0) return Promise.resolve()
    this.#idle ??= deferred()
    return this.#idle.promise
  }

  /** See `Link.publish`. */
  publish(messages: readonly Message[], settle: Settle, signal: AbortSignal): void {
    const deadlineMs = this.#host.now() + this.#options.publishTimeoutMs
    this.#waiting.push({ messages, settle, signal, deadlineMs, cursor: 0, unsettled: messages.length })
    this.#unsettled += messages.length
    this.#signals.add(signal)
    this.pump()
  }

  /** Writes what may be written. */
  pump(): void {
    const channel = this.#channel
    if (!this.#open || channel === undefined || this.#waiting.length === 0) return
    const deadlineMs = this.#host.now() + this.#options.publishTimeoutMs
    for (let batch = this.#waiting.peek(); batch !== undefined; batch = this.#waiting.peek()) {
      while (batch.cursor < batch.messages.length) {
        if (this.#window.length >= this.#options.maxInFlight || this.#connection.holdsBack) return
        this.#write(channel, batch, deadlineMs)
      }
      this.#waiting.shift()
    }
  }

  /** Looks whether something is overdue. */
  look(now: number): void {
    const { blockedReason, address } = this.#connection
    if (!this.#isOverdue(now)) return
    if (blockedReason === undefined) {
      this.#host.end(late(address, 'confirm a message', this.#options.publishTimeoutMs))
      return
    }
    // the broker lives and says so: the link stays, for what comes in
    const error = brokerBlocked(address, blockedReason)
    this.#failWhere((_, deadlineMs) => deadlineMs <= now, error)
  }

  /** The link has ended: everything fails. */
  end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#open = false
    this.#failWhere(() => true, error)
    this.#window.clear()
    this.#signals.close()
  }

  #write(channel: Channel, batch: Batch, deadlineMs: number): void {
    const index = batch.cursor
    const message = batch.messages[index]
    batch.cursor += 1
    if (message === undefined) return
    try {
      this.#encoder.measure(message)
    } catch (error) {
      this.#refuseLater(batch, index, error)
      return
    }
    this.#encoder.write(message, channel.number)
    this.#window.push({ batch, index, deadlineMs, returned: undefined, confirmed: false })
  }

  /** Not before `publish()` has returned. */
  #refuseLater(batch: Batch, index: number, cause: unknown): void {
    const error =
      cause instanceof Failure
        ? cause
        : new Failure('INVALID_MESSAGE', 'Cannot send a message: it cannot be written, see the cause', cause)
    queueMicrotask(() => this.#settle(batch, index, { kind: 'refused', scope: 'message', error }))
  }

  #confirmed(tag: number, multiple: boolean, taken: boolean): void {
    const place = tag - this.#first
    if (place < 0 || place >= this.#window.length) throw new RangeError(`a confirmation of message ${tag}`)
    if (multiple) {
      for (let count = 0; count <= place; count += 1) this.#confirm(this.#window.peek(count), taken)
    } else {
      this.#confirm(this.#window.peek(place), taken)
    }
    this.#advance()
    this.pump()
  }

  #confirm(slot: Slot | undefined, taken: boolean): void {
    const batch = slot?.batch
    if (slot === undefined) return
    slot.confirmed = true
    if (batch === undefined) return
    slot.batch = undefined
    const { returned: error } = slot
    if (error !== undefined) this.#settle(batch, slot.index, { kind: 'refused', scope: 'topic', error })
    else if (taken) this.#settle(batch, slot.index, DELIVERED)
    else this.#settle(batch, slot.index, { kind: 'failed', error: notTaken(topicOf(batch, slot.index)) })
  }

  /** Takes the confirmed ones off the front of the window. */
  #advance(): void {
    while (this.#window.peek()?.confirmed === true) {
      this.#window.shift()
      this.#first += 1
    }
  }

  /** The broker returns messages in their order, so the one that is meant is near the front. */
  #returned({ id, topic }: Arrival, refusal: Refusal): void {
    for (let place = 0; place < this.#window.length; place += 1) {
      const slot = this.#window.peek(place)
      if (slot?.batch === undefined || slot.returned !== undefined) continue
      if (slot.batch.messages[slot.index]?.id === id) {
        slot.returned = returned(topic, refusal)
        return
      }
    }
  }

  /** The broker ended the channel, and with it a message of the window, or the channel was never granted. */
  #refused(refusal: Refusal): void {
    if (!this.#open || this.#ended !== undefined) return
    this.#open = false
    const slots: Slot[] = []
    for (let slot = this.#window.shift(); slot !== undefined; slot = this.#window.shift()) slots.push(slot)
    const fits = isCulprit(refusal)
    const meant = slots.filter(({ batch, index }) => {
      const message = batch?.messages[index]
      return message !== undefined && fits(message)
    })
    if (meant.length === 0 && slots.some(({ batch }) => batch !== undefined)) {
      // what it means nobody here knows: a fresh link tells
      this.#host.end(refused(refusal, 'publish', 'link'))
    }
    const culprits = new Set(meant)
    const scope = refusal.code === REPLY.preconditionFailed ? 'message' : 'topic'
    for (const slot of slots) {
      const { batch, index } = slot
      if (batch === undefined) continue
      const error = refused(refusal, `publish to "${topicOf(batch, index)}"`, scope)
      slot.batch = undefined
      this.#settle(
        batch,
        index,
        culprits.has(slot) ? { kind: 'refused', scope, error } : { kind: 'failed', error },
      )
    }
    if (this.#ended === undefined) this.#reopen()
  }

  #reopen(): void {
    this.begin().catch((error: unknown) => {
      if (this.#connection.ended === undefined && error instanceof Failure) this.#host.end(error)
    })
  }

  #abort(signal: AbortSignal): void {
    this.#failWhere((batch) => batch.signal === signal, aborted('publish', signal))
    this.pump()
  }

  #isOverdue(now: number): boolean {
    const batch = this.#waiting.peek()
    if (batch !== undefined && batch.deadlineMs <= now) return true
    for (let place = 0; place < this.#window.length; place += 1) {
      const slot = this.#window.peek(place)
      if (slot?.batch !== undefined) return slot.deadlineMs <= now
    }
    return false
  }

  /** Fails what is not settled and fits. Slots stay in the window for their confirmations. */
  #failWhere(fits: (batch: Batch, deadlineMs: number) => boolean, error: BackhaulError): void {
    const outcome: Outcome = { kind: 'failed', error }
    const failed: [Batch, number][] = []
    for (let place = 0; place < this.#window.length; place += 1) {
      const slot = this.#window.peek(place)
      if (slot?.batch === undefined || !fits(slot.batch, slot.deadlineMs)) continue
      failed.push([slot.batch, slot.index])
      slot.batch = undefined
    }
    for (let count = this.#waiting.length; count > 0; count -= 1) {
      const batch = this.#waiting.shift()
      if (batch === undefined) break
      if (!fits(batch, batch.deadlineMs)) {
        this.#waiting.push(batch)
        continue
      }
      for (; batch.cursor < batch.messages.length; batch.cursor += 1) failed.push([batch, batch.cursor])
    }
    for (const [batch, index] of failed) this.#settle(batch, index, outcome)
  }

  #settle(batch: Batch, index: number, outcome: Outcome): void {
    this.#unsettled -= 1
    batch.unsettled -= 1
    if (batch.unsettled === 0) this.#signals.release(batch.signal)
    batch.settle(index, outcome)
    if (this.#unsettled === 0) {
      this.#idle?.resolve()
      this.#idle = undefined
    }
  }
}

function topicOf(batch: Batch, index: number): string {
  return batch.messages[index]?.topic ?? ''
}
