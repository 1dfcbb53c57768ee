import type { BackhaulError, Clock, Message, Outcome, Settle } from '../../../contract/index.ts'
import { BackhaulError as Failure, DELIVERED } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { Ring } from '../../../kit/ring.ts'
import { SignalWatch } from '../../shared/signal-watch.ts'
import { aborted, ErrorAnswer, late, redisError, verdictOf } from '../errors.ts'
import type { RedisOptions } from '../options.ts'
import { CommandWriter } from '../session/command.ts'
import type { Asker, RedisConnection } from '../session/connection.ts'
import { checkStreamName } from '../topic.ts'
import { EntryEncoder } from './entry.ts'

/*
 * Publishing. Batches go out in call order, one command a message, without waiting for answers; they wait here only while the socket
 * is blocked, and while the broker is suspect.
 *
 * Order after a failure. Commands that are on their way are carried out one by one, so a broker that has no memory for one may have some for
 * the next: the later message would arrive first. So when a message fails, everything that is not settled fails with it and the broker is
 * suspect: once all answers are there, one message goes out alone, and the others follow only when it has arrived. What remains is
 * a broker that recovers between two commands of the very batches in which it began to fail.
 *
 * Each message is settled once: its state says so, and whoever settles one marks it first.
 */

/** What became of a message of a batch. */
const OPEN = 0
const SETTLED = 1
/** It is not sent; the word for it comes after `publish()` has returned. */
const REFUSED = 2

/** One call of `publish`. */
interface Batch {
  readonly messages: readonly Message[]
  readonly settle: Settle
  readonly signal: AbortSignal
  readonly handedInMs: number
  /** What became of each message. */
  readonly states: Uint8Array
  unsettled: number
  /** The first message that has not gone out. */
  cursor: number
}

/** Messages of one batch on their way. */
class Flight implements Asker {
  left: number
  readonly deadlineMs: number
  readonly #publisher: Publisher
  readonly #batch: Batch
  readonly #indices: readonly number[]
  #next = 0

  constructor(publisher: Publisher, batch: Batch, indices: readonly number[], deadlineMs: number) {
    this.#publisher = publisher
    this.#batch = batch
    this.#indices = indices
    this.left = indices.length
    this.deadlineMs = deadlineMs
  }

  answered(answer: unknown): void {
    const index = this.#indices[this.#next] ?? -1
    this.#next += 1
    this.#publisher.answered(this.#batch, index, answer)
  }

  failed(): void {
    // the end of the connection is the end of the link, which fails everything
  }
}

/** Publishes over one connection. */
export class Publisher {
  readonly #connection: RedisConnection
  readonly #clock: Clock
  readonly #options: RedisOptions
  readonly #onLost: (error: BackhaulError) => void
  readonly #encoder: EntryEncoder
  readonly #writer = new CommandWriter()
  /** Batches with something unsettled, in call order. */
  readonly #open = new Set<Batch>()
  /** Of those, the ones with something that has not gone out. */
  readonly #waiting = new Ring<Batch>()
  readonly #signals = new SignalWatch((signal) => this.#abort(signal))
  #unanswered = 0
  #suspect = false
  #probing = false
  #idle = deferred()
  #ended: BackhaulError | undefined

  /** @param onLost - called when the link must end */
  constructor(
    connection: RedisConnection,
    clock: Clock,
    options: RedisOptions,
    onLost: (error: BackhaulError) => void,
  ) {
    this.#connection = connection
    this.#clock = clock
    this.#options = options
    this.#onLost = onLost
    this.#encoder = new EntryEncoder(options)
    connection.onDrain = () => this.#pump()
  }

  /** Whether every message has its outcome. */
  get isIdle(): boolean {
    return this.#open.size === 0
  }

  /** Resolves when every message has its outcome. */
  get idle(): Promise<void> {
    return this.#idle.promise
  }

  /** See `Link.publish`. The link lives. */
  publish(messages: readonly Message[], settle: Settle, signal: AbortSignal): void {
    const batch: Batch = {
      messages,
      settle,
      signal,
      handedInMs: this.#clock.monotonic(),
      states: new Uint8Array(messages.length),
      unsettled: messages.length,
      cursor: 0,
    }
    if (this.isIdle) this.#idle = deferred()
    this.#open.add(batch)
    this.#signals.add(signal)
    this.#refuseBad(batch)
    this.#waiting.push(batch)
    this.#pump()
  }

  /** Ends the link when a message has waited for its outcome for too long, sent or not. */
  look(now: number): void {
    const { commandTimeoutMs } = this.#options
    const [oldest] = this.#open
    // a little later than the deadline of what was sent, which is told in better words
    if (oldest === undefined || now - oldest.handedInMs < commandTimeoutMs * 1.1) return
    this.#onLost(late(this.#connection.address, 'acknowledge a message', commandTimeoutMs))
  }

  /** The answer to a message. */
  answered(batch: Batch, index: number, answer: unknown): void {
    this.#unanswered -= 1
    const wasProbe = this.#probing
    this.#probing = false
    if (answer instanceof ErrorAnswer) {
      this.#refused(batch, index, answer)
    } else {
      if (wasProbe) this.#suspect = false
      this.#settle(batch, index, DELIVERED)
    }
    if (this.#waiting.length > 0) this.#pump()
  }

  /** The link has ended: everything fails. */
  end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#failAll(error)
    this.#signals.close()
    this.#idle.resolve()
  }

  #refused(batch: Batch, index: number, answer: ErrorAnswer): void {
    const verdict = verdictOf(answer)
    const error = redisError(answer, `publish to "${batch.messages[index]?.topic ?? ''}"`)
    if (verdict === 'link') {
      this.#onLost(error)
    } else if (verdict === 'failed') {
      this.#suspect = true
      this.#failAll(error)
    } else {
      this.#settle(batch, index, { kind: 'refused', scope: verdict, error })
    }
  }

  /** Sends what may leave. */
  #pump(): void {
    while (this.#ended === undefined && !this.#connection.blocked) {
      if (this.#suspect && this.#unanswered > 0) return
      const batch = this.#waiting.peek()
      if (batch === undefined) return
      this.#probing = this.#suspect && this.#send(batch, 1)
      if (!this.#suspect) this.#send(batch, batch.messages.length)
      if (batch.cursor >= batch.messages.length) this.#waiting.shift()
    }
  }

  /** Sends at most `limit` messages of a batch; false where it has none left. */
  #send(batch: Batch, limit: number): boolean {
    const indices: number[] = []
    for (; batch.cursor < batch.messages.length && indices.length < limit; batch.cursor += 1) {
      const message = batch.messages[batch.cursor]
      if (message === undefined || batch.states[batch.cursor] !== OPEN) continue
      indices.push(batch.cursor)
      this.#encoder.write(this.#writer, message)
    }
    if (indices.length === 0) return false
    this.#unanswered += indices.length
    const flight = new Flight(this, batch, indices, this.#connection.deadlineMs())
    this.#connection.send(flight, this.#writer.take())
    return true
  }

  #refuseBad(batch: Batch): void {
    for (const [index, message] of batch.messages.entries()) {
      const error = this.#problemOf(message)
      if (error === undefined) continue
      batch.states[index] = REFUSED
      setImmediate(() => {
        this.#settle(batch, index, { kind: 'refused', scope: error.scope ?? 'message', error })
      })
    }
  }

  #problemOf({ topic, payload }: Message): BackhaulError | undefined {
    const { maxMessageBytes } = this.#options
    if (!this.#encoder.knows(topic)) {
      try {
        checkStreamName(topic)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        return new Failure(error.code, error.message, undefined, { scope: 'topic' })
      }
    }
    if (payload.length <= maxMessageBytes) return undefined
    return new Failure(
      'MESSAGE_TOO_LARGE',
      `Cannot publish to "${topic}": the message has ${payload.length} bytes and may have ${maxMessageBytes}, send less or raise maxMessageBytes`,
      undefined,
      { scope: 'message' },
    )
  }

  #settle(batch: Batch, index: number, outcome: Outcome): void {
    if (batch.states[index] === SETTLED) return
    batch.states[index] = SETTLED
    batch.unsettled -= 1
    if (batch.unsettled === 0) {
      this.#open.delete(batch)
      this.#signals.release(batch.signal)
      if (this.isIdle) this.#idle.resolve()
    }
    batch.settle(index, outcome)
  }

  #failAll(error: BackhaulError): void {
    const failed: Outcome = { kind: 'failed', error }
    // whoever hears of it may hand in more at once
    const all = [...this.#open]
    this.#waiting.clear()
    for (const batch of all) {
      for (let index = 0; index < batch.messages.length; index += 1) this.#settle(batch, index, failed)
    }
  }

  /** Fails what is unsettled of a signal, and with each message everything later of its key. */
  #abort(signal: AbortSignal): void {
    const failed: Outcome = { kind: 'failed', error: aborted('publish') }
    const keys = new Set<string>()
    for (const batch of Array.from(this.#open)) {
      for (const [index, message] of batch.messages.entries()) {
        if (batch.states[index] === SETTLED) continue
        const key = orderOf(message)
        if (batch.signal !== signal && !keys.has(key)) continue
        keys.add(key)
        this.#settle(batch, index, failed)
      }
    }
  }
}

/** What keeps its order: the messages of one stream with one key. */
function orderOf({ topic, key }: Message): string {
  return key === undefined ? topic : `${topic}\0${key}`
}
