import type { Clock } from '../../../contract/index.ts'
import type { Deferred } from '../../../kit/deferred.ts'
import { deferred } from '../../../kit/deferred.ts'
import type { NativeConsumer, NativeError, NativePlace } from './binding.ts'
import { nativeErrorName, nativeRefusal } from './native-errors.ts'

/*
 * What a consumer of librdkafka confirms. One confirmation is on its way at a time, so the next answer of the broker belongs to it.
 *
 * librdkafka keeps one that its broker did not answer until a broker does, and closes no consumer that has one: it would hold a thread
 * of Node's pool until then. So such a consumer is kept and asked for news, without a thread, until it owes nothing.
 */

/** How often a consumer that owes a confirmation is asked for news, in milliseconds. */
const NEWS_MS = 200

/** What passes by itself: the group is changing. */
const PASSING: ReadonlySet<string> = new Set([
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
])

/** The confirmations of one consumer. */
export class Commits {
  readonly #clock: Clock
  readonly #what: string
  readonly #given = deferred<undefined>()
  #last: Promise<unknown> = Promise.resolve()
  #owed: Deferred<NativeError | undefined> | undefined
  #isGivenUp = false

  /** @param what - completes "Cannot ..." */
  constructor(clock: Clock, what: string) {
    this.#clock = clock
    this.#what = what
  }

  /** The broker has answered; for `offset_commit_cb`. */
  readonly answered = (error: NativeError | null | undefined): void => {
    this.#owed?.resolve(error ?? undefined)
    this.#owed = undefined
  }

  /** Confirms offsets; false where the group is changing, or the consumer is at its end. Resolves when the broker has it. */
  commit(consumer: NativeConsumer, offsets: readonly NativePlace[]): Promise<boolean> {
    const done = this.#last.then(() => this.#commit(consumer, offsets))
    this.#last = done.catch(() => undefined)
    return done
  }

  /** Nobody waits for an answer any more. */
  giveUp(): void {
    this.#given.resolve(undefined)
    this.#isGivenUp = true
  }

  /** Resolves when the broker has answered everything, however long it takes. Does not keep the process alive. */
  settled(consumer: NativeConsumer): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.#owed === undefined) {
          resolve()
          return
        }
        consumer.consume(1, () => undefined)
        this.#clock.after(NEWS_MS, look, true)
      }
      look()
    })
  }

  async #commit(consumer: NativeConsumer, offsets: readonly NativePlace[]): Promise<boolean> {
    if (this.#isGivenUp) return false
    const owed = deferred<NativeError | undefined>()
    this.#owed = owed
    consumer.commitCb(offsets, (error) => {
      // only that it was not even taken: nothing is answered then
      if (error) this.answered(error)
    })
    const error = await Promise.race([owed.promise, this.#given.promise.then(() => GIVEN_UP)])
    if (error === undefined) return true
    if (error.code < 0 || PASSING.has(nativeErrorName(error.code))) return false
    throw nativeRefusal(error, this.#what, 'topic')
  }
}

/** Stands for an answer that nobody waits for. */
const GIVEN_UP: NativeError = { code: -1, message: 'given up' }
